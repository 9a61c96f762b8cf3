/** Long statements and rows, several results, cursors: through the engine, with a real MariaDB behind it. */
import type { RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'
import { execute, fetch, openSession, prepare, query, readRows } from './raw-session.ts'

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testResults()

async function testResults(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { control, seen, port } = engine

  t.beforeEach(async () => {
    control.route = {}
    await waitUntil(() => engine.rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
  })

  // Those around the size of one piece: test/proxy/mysql/ledger/clients.test.ts, M-4.
  t.test('a query, an execution and a row of 40 MB', async (t) => {
    const size = 40 * 1024 * 1024
    const connection = await engine.connect(t)
    const around = "select length('') as n".length + 1
    const text = `select length('${'q'.repeat(size - around)}') as n`
    t.match(await connection.query(text), [[{ n: size - around }]])
    t.match(await connection.execute('select length(?) as n', ['e'.repeat(size)]), [[{ n: size }]])
    const [rows] = await connection.query<RowDataPacket[]>('select repeat("r", ?) as r', [size - 4])
    t.equal(rows[0]?.r.length, size - 4)
    t.match(await connection.query('select 1 as one'), [[{ one: 1 }]], 'the session goes on')
    t.match(seen.entries, [
      { sql: /^select length\('qqq/, sqlCut: { bytes: size, hmac: String }, rows: 1 },
      { type: 'execute', sql: 'select length(?) as n', valuesCut: { bytes: Number }, rows: 1 },
      { sql: /repeat/, rows: 1, tags: ['ROWS 1'] },
      { sql: 'select 1 as one', rows: 1 },
    ])
    t.same(engine.errors, [])
    await connection.end()
  })

  t.test('a million rows to a slow reader: all of them, and no more memory than for a few', async (t) => {
    const sql = "select seq, repeat('x', 90) from samples.seq_1_to_1000000"
    const where = ['--no-defaults', '--skip-ssl', '-h127.0.0.1', `-P${port}`, '-pany', 'samples']
    const { child, ended } = startCommand('mariadb', [...where, '--quick', '-N', '-e', sql], process.env)
    const { stdout } = child
    if (!stdout) throw new Error('the client has no output')
    let [lines, pauses, peak] = [0, 0, 0]
    const before = process.memoryUsage().arrayBuffers
    stdout.removeAllListeners('data').on('data', (chunk: string) => {
      lines += chunk.split('\n').length - 1
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
      if (lines < (pauses + 1) * 100_000) return
      pauses += 1
      stdout.pause()
      const relayed = () => seen.relayed.down
      let last = -1
      // goes on once nothing moves any more: everything between the server and the reader is full
      const isStill = () => {
        const now = relayed()
        const isSame = now === last
        last = now
        return isSame
      }
      void waitUntil(isStill, 'all buffers are full', 10_000, 50).then(() => stdout.resume())
    })
    t.equal((await ended).code, 0)
    t.equal(lines, 1_000_000)
    t.equal(pauses, 10)
    t.ok(peak < 32 * 1024 * 1024, `${Math.round(peak / 1024)} KB at most`)
    await engine.ended(1)
    t.match(seen.entries, [{ sql, rows: 1_000_000, tags: ['ROWS 1000000'] }])
  })

  t.test('CALL with several results, in both protocols', async (t) => {
    const connection = await engine.connect(t)
    const results = [[{ id: 1 }, { id: 2 }, { id: 3 }], [{ asked: 3, state: 'done' }], { affectedRows: Number }]
    t.match((await connection.query('call samples.two_results(3)'))[0], results)
    t.match((await connection.execute('call samples.two_results(?)', [3]))[0], results)
    t.match(await connection.query('select 1 as one'), [[{ one: 1 }]])
    const recorded = { rows: 4, tags: ['ROWS 3', 'ROWS 1', 'OK 0'] }
    t.match(seen.entries, [recorded, { type: 'execute', values: ['3'], ...recorded }, { sql: 'select 1 as one' }])
  })

  t.test('a cursor: rows come as they are fetched, and are counted together', async (t) => {
    const session = await openSession(t, port, { database: 'samples' })
    session.send(prepare('select id from counted where id <= 7'))
    const id = (await session.packets.next()).payload.readUInt32LE(1)
    await session.packets.next() // its column
    await session.packets.next()
    session.send(execute(id, 1))
    const status = async () => (await session.packets.next()).payload
    await status() // the number of columns
    await status()
    t.ok(((await status()).at(3) ?? 0) & 0x40, 'there is a cursor')
    const counts: number[] = []
    for (let isLast = false; !isLast; ) {
      session.send(fetch(id, 3))
      let rows = 0
      for (;;) {
        const { payload } = await session.packets.next()
        if (payload[0] === 0xfe) {
          isLast = ((payload[3] ?? 0) & 0x80) !== 0
          break
        }
        rows += 1
      }
      counts.push(rows)
    }
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      7,
    )
    t.match(seen.entries[0], { type: 'execute', rows: 0, suspended: true })
    t.match(seen.entries.at(-1), { type: 'fetch', sql: /from counted/ })
    t.same(
      seen.entries.slice(1).map(({ rows }) => rows),
      counts,
    )
  })

  t.test('an error after rows ends the result, and is recorded with what came before', async (t) => {
    const session = await openSession(t, port, { database: 'samples' })
    session.send(query('select id, if(id = 5000, (select 1 union select 2), 0) from counted order by id'))
    const rows = await readRows(session)
    const last = rows.at(-1)
    t.equal(last?.[0], 0xff)
    t.equal(last?.readUInt16LE(1), 1242)
    session.send(query('select 1'))
    t.equal((await readRows(session)).length, 5, 'the next statement has its own answer')
    t.match(seen.entries[0], { error: { number: 1242, code: '21000' } })
    t.equal(seen.entries[0]?.rows, rows.length - 5, 'two columns, their end, the number of columns, and the error')
  })

  t.test(
    'the mariadb client: DELIMITER is its own; files are not sent where the level does not allow it',
    async (t) => {
      const where = ['--no-defaults', '--skip-ssl', '-h127.0.0.1', `-P${port}`, '-pany', 'samples', '-N']
      const source = `DELIMITER //
CREATE OR REPLACE PROCEDURE delimited() BEGIN SELECT 'one;'; SELECT 'two'; END//
DELIMITER ;
CALL delimited();
DROP PROCEDURE delimited;
`
      const { stdout, stderr } = await startCommand('mariadb', where, process.env, source).ended
      t.equal(stderr, '')
      t.equal(stdout, 'one;\ntwo\n')
      t.match(seen.entries[0], {
        sql: "CREATE OR REPLACE PROCEDURE delimited() BEGIN SELECT 'one;'; SELECT 'two'; END",
      })
      const load = "load data local infile '/etc/hostname' into table imported (word)"
      const denied = await startCommand('mariadb', [...where, '--local-infile=1', '-e', load]).ended
      t.match(denied.stderr, /ERROR 4166 \(HY000\)/)
      control.route = { localInfile: true }
      const allowed = await startCommand('mariadb', [...where, '--local-infile=1', '-e', load]).ended
      t.equal(allowed.stderr, '')
      t.match(seen.entries.at(-1), { sql: load, copyIn: { bytes: Number, hmac: String } })
    },
  )
}
