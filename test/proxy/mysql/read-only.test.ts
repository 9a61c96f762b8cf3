/**
 * What keeps a level from writing: which measure stops which way around it. The rights of the database user stop all of them; a level’s
 * `read_only` stops mistakes.
 */
import t from 'tap'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'
import { command, openSession } from './raw-session.ts'

const write = "INSERT INTO samples.files (name) VALUES ('written')"

/** Statements before the write, all in one session. */
const ways: Readonly<Record<string, readonly string[]>> = {
  'as it is': [write],
  'SET SESSION TRANSACTION READ WRITE': ['SET SESSION TRANSACTION READ WRITE', write],
  'SET TRANSACTION READ WRITE': ['SET TRANSACTION READ WRITE', write],
  'START TRANSACTION READ WRITE': ['START TRANSACTION READ WRITE', write, 'COMMIT'],
  'SET tx_read_only': ['SET SESSION tx_read_only = 0', write],
  'an executable comment': ['/*!50000 SET SESSION TRANSACTION READ WRITE */', `/*!50000 ${write} */`],
  'a text that is prepared in SQL': ['SET SESSION TRANSACTION READ WRITE', `EXECUTE IMMEDIATE "${write}"`],
  'several statements at once': [`SET SESSION TRANSACTION READ WRITE; ${write}`],
  XA: ['SET SESSION TRANSACTION READ WRITE', "XA START 'x'", write, "XA END 'x'", "XA COMMIT 'x' ONE PHASE"],
  'LOAD DATA': [
    'SET SESSION TRANSACTION READ WRITE',
    "LOAD DATA INFILE '/etc/hostname' INTO TABLE samples.files (name)",
  ],
  'SELECT INTO OUTFILE': ["SELECT 'written' INTO OUTFILE '/tmp/sallyport-written'"],
  'a procedure': ['SET SESSION TRANSACTION READ WRITE', 'CALL samples.write_it()'],
  'a function': ['SET SESSION TRANSACTION READ WRITE', 'SELECT samples.write_one()'],
  'a table of one’s own': ['SET SESSION TRANSACTION READ WRITE', 'CREATE TABLE samples.mine (id int)'],
}

/** These end the level’s read_only: a text may ask for another kind of transaction. */
const pastReadOnly = new Set(
  Object.keys(ways).filter((way) => !['as it is', 'LOAD DATA', 'SELECT INTO OUTFILE'].includes(way)),
)

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testReadOnly()

async function testReadOnly(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { control, seen, mariadb, rds, port } = engine
  await mariadb.query(
    "CREATE DEFINER=sallyport_rw@'%' PROCEDURE samples.write_it() INSERT INTO samples.files (name) VALUES ('written')",
  )
  await mariadb.query(
    "CREATE DEFINER=sallyport_rw@'%' FUNCTION samples.write_one() RETURNS int BEGIN INSERT INTO samples.files (name) VALUES ('written'); RETURN 1; END",
  )

  t.beforeEach(async () => {
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    control.route = {}
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
  })

  /** @returns whether anything was written; undefined: nothing, and no statement was refused */
  const attempt = async (t: Parameters<typeof engine.connect>[0], statements: readonly string[]) => {
    const connection = await engine.connect(t, { multipleStatements: true })
    let refusal: unknown
    for (const sql of statements)
      refusal ??= await connection.query(sql).then(
        () => undefined,
        (error: Error) => error,
      )
    await connection.end().catch(() => {})
    const files = await mariadb.query("SELECT 1 FROM samples.files WHERE name = 'written'")
    const tables = await mariadb.query("SHOW TABLES FROM samples LIKE 'mine'")
    await mariadb.query("DELETE FROM samples.files WHERE name = 'written'")
    await mariadb.query('DROP TABLE IF EXISTS samples.mine')
    return { isWritten: files.length + tables.length > 0, refusal }
  }

  t.test('a database user that may only read: no way leads around it', async (t) => {
    control.route = { user: 'sallyport_ro' }
    for (const [way, statements] of Object.entries(ways)) {
      const { isWritten, refusal } = await attempt(t, statements)
      t.notOk(isWritten, way)
      t.ok(refusal instanceof Error, `${way}: ${refusal}`)
    }
  })

  t.test('read_only of a level: what is sent as it is; SQL may ask for other transactions', async (t) => {
    for (const [way, statements] of Object.entries(ways)) {
      control.route = { readOnly: true }
      const { isWritten } = await attempt(t, statements)
      t.equal(isWritten, pastReadOnly.has(way), way)
    }
  })

  t.test(
    'databases of a level: what is chosen is checked; what a statement names is the target’s to refuse',
    async (t) => {
      control.route = { databases: ['orders'], user: 'sallyport_ro' }
      await t.rejects(engine.connect(t, { database: 'billing' }), {
        errno: 1044,
        sqlState: '42000',
        message: /covers orders/,
      })
      const session = await openSession(t, port)
      session.send(command(0x02, Buffer.from('billing')))
      t.equal((await session.packets.next()).payload.readUInt16LE(1), 1044, 'COM_INIT_DB')
      session.socket.destroy()
      const connection = await engine.connect(t)
      t.match(
        await connection.query('SELECT COUNT(*) AS n FROM billing.invoices'),
        [[{ n: 300 }]],
        'a right of the user',
      )
      await connection.query('USE billing')
      t.match(seen.entries.at(-1), { sql: 'USE billing', database: 'billing' })
      await mariadb.query("REVOKE SELECT, SHOW VIEW ON billing.* FROM sallyport_ro@'%'")
      t.teardown(() => mariadb.query("GRANT SELECT, SHOW VIEW ON billing.* TO sallyport_ro@'%'"))
      const bound = await engine.connect(t)
      await t.rejects(bound.query('SELECT 1 FROM billing.invoices'), { errno: 1142, message: /denied/ })
      await t.rejects(bound.query('USE billing'), { errno: 1044, message: /denied/ })
    },
  )

  t.test('a replica is not served', async (t) => {
    const session = await openSession(t, port)
    for (const first of [0x15, 0x12, 0x1e]) {
      session.send(command(first, Buffer.alloc(20)))
      const { payload } = await session.packets.next()
      t.same([payload[0], payload.readUInt16LE(1), payload.toString('latin1', 4, 9)], [0xff, 1047, '08S01'])
    }
    t.match(seen.entries, [{ command: 'REGISTER_SLAVE', refused: true }, { refused: true }, { refused: true }])
  })
}
