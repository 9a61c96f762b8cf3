/** Stock clients and a real MariaDB: what passes is unchanged, and what is recorded says what was done. */
import { execFile } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Connection, createConnection } from 'mysql2/promise'
import t from 'tap'
import { skipWithoutMariaDb } from '../../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../../wait-until.ts'
import { password, startPiped, user } from './piped.ts'

const skip = skipWithoutMariaDb()
if (skip) {
  t.pass(skip)
  process.exit(0)
}
const piped = await startPiped(t)
const { seen, options, kills, entry } = piped

t.beforeEach(() => {
  seen.entries.length = 0
  kills.length = 0
  piped.ends.length = 0
  options.rules = {}
})

const run = promisify(execFile)

/** @returns of the error that it is rejected with */
async function numberOf(running: Promise<unknown>): Promise<unknown> {
  try {
    await running
    return undefined
  } catch (error) {
    return error instanceof Error && 'errno' in error ? error.errno : error
  }
}

async function open(extra: object = {}): Promise<Connection> {
  const connection = await createConnection({
    host: '127.0.0.1',
    port: piped.port,
    user,
    password,
    database: 'orders',
    ...extra,
  })
  connection.on('error', () => {})
  return connection
}

for (const deprecatesEof of [true, false])
  for (const pieceBytes of [0, 1, 7])
    t.test(`results and prepared statements: deprecatesEof ${deprecatesEof}, pieces of ${pieceBytes}`, async (t) => {
      options.deprecatesEof = deprecatesEof
      options.pieceBytes = pieceBytes
      t.teardown(() => {
        options.deprecatesEof = true
        options.pieceBytes = 0
      })
      const c = await open({ multipleStatements: true })
      const [rows] = await c.query('SELECT id, name FROM customers ORDER BY id LIMIT 3')
      t.match(rows, [{ id: 1 }, { id: 2 }, { id: 3 }])
      const [both] = await c.query('SELECT 1 AS a; SELECT 2 AS b WHERE 1 = 0')
      t.match(both, [[{ a: 1 }], []])
      t.equal(await numberOf(c.query('SELECT * FROM nowhere')), 1146)
      const [found] = await c.execute('SELECT name FROM customers WHERE id = ? AND city <> ?', [7, 'nowhere'])
      t.match(found, [{ name: String }])
      await c.execute('SELECT name FROM customers WHERE id = ? AND city <> ?', [8, null])
      t.equal(await numberOf(c.execute('SELECT ? FROM nowhere', [1])), 1146)
      await c.query('CREATE TEMPORARY TABLE tmp (a int)')
      await c.query('INSERT INTO tmp VALUES (1), (2), (3)')
      await c.changeUser?.({ user }).catch(() => {})
      await c.query('USE billing')
      await c.ping()
      await c.end()
      t.match(entry('SELECT id, name FROM customers ORDER BY id LIMIT 3'), { type: 'query', rows: 3, tags: ['ROWS 3'] })
      t.match(entry('SELECT 1 AS a; SELECT 2 AS b WHERE 1 = 0'), { rows: 1, tags: ['ROWS 1', 'ROWS 0'] })
      t.match(entry('SELECT * FROM nowhere'), { error: { number: 1146, code: '42S02' }, rows: 0 })
      const executed = seen.entries.filter(({ type }) => type === 'execute')
      t.match(executed, [
        { sql: 'SELECT name FROM customers WHERE id = ? AND city <> ?', values: ['7', 'nowhere'], tags: ['ROWS 1'] },
        { values: ['8', null], tags: ['ROWS 0'] },
      ])
      t.match(entry('SELECT ? FROM nowhere'), { type: 'parse', error: { number: 1146 } })
      t.match(entry('INSERT INTO tmp VALUES (1), (2), (3)'), { tags: ['OK 3'], rows: 0 })
      t.match(
        seen.entries.find(({ command }) => command === 'CHANGE_USER'),
        { refused: true, error: { number: 1045 } },
      )
      t.match(entry('USE billing'), { database: 'billing' })
    })

t.test('KILL is carried out by the broker, and its number is not passed on', async (t) => {
  const c = await open()
  await c.query('KILL QUERY 4711')
  await c.query(' /* x */ kill 12;')
  t.same(kills, [
    [4711, 'query'],
    [12, 'connection'],
  ])
  t.match(entry('KILL QUERY 4711'), { type: 'query', tags: ['OK 0'] })
  options.rules = { kill: async () => 'unknown' }
  const d = await open()
  t.equal(await numberOf(d.query('KILL 5')), 1094)
  t.match(entry('KILL 5'), { refused: true, error: { number: 1094 } })
  const [rows] = await d.query('SELECT 1 AS one')
  t.same(rows, [{ one: 1 }], 'the session goes on')
  t.equal(await numberOf(d.execute('KILL ?', [5])), 1295)
  await c.end()
  await d.end()
})

t.test('a limit on rows ends the session at a whole row, in words that the client reads', async (t) => {
  options.rules = { maxRows: 10 }
  const c = await open()
  t.equal(await numberOf(c.query('SELECT id FROM customers')), 1226)
  t.match(entry('SELECT id FROM customers'), { rows: 10, unfinished: true })
  await waitUntil(() => piped.ends.some(({ reason }) => reason === 'limit-reached'), 'the session has ended')
})

t.test('a cut of a statement that runs: the client is told in place of its answer', async (t) => {
  const c = await open()
  const running = c.query('SELECT SLEEP(5)')
  const rejected = numberOf(running)
  await waitUntil(async () => {
    const sql = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    return (await piped.server.query(sql)).length > 0
  }, 'it runs')
  await piped.cut()
  t.equal(await rejected, 1053)
  t.match(entry('SELECT SLEEP(5)'), { unfinished: true })
})

t.test(
  'LOAD DATA LOCAL: bytes are counted with their digest, and only a file that was asked for is taken',
  async (t) => {
    const home = mkdtempSync(path.join(tmpdir(), 'sallyport-load-'))
    t.teardown(() => rmSync(home, { recursive: true }))
    const file = path.join(home, 'rows.txt')
    writeFileSync(file, '1\n2\n3\n')
    const c = await open()
    await c.query('CREATE TEMPORARY TABLE loaded (a int)')
    await c.query({
      sql: `LOAD DATA LOCAL INFILE '${file}' INTO TABLE loaded`,
      infileStreamFactory: () => createReadStream(file),
    })
    const [rows] = await c.query('SELECT COUNT(*) AS n FROM loaded')
    t.match(rows, [{ n: 3 }])
    await c.end()
    t.match(entry(/^LOAD DATA/), { copyIn: { bytes: 6, hmac: String }, tags: ['OK 3'] })
  },
)

t.test('M-4: payloads around the size of a whole piece, as rows, as queries and as parameters', async (t) => {
  const c = await open()
  // With 16,777,214 bytes mysql2 sends an empty packet too many: framers.test.ts has that size.
  for (const size of [16_777_200, 16_777_215, 16_777_216]) {
    seen.entries.length = 0
    await c.query(`SELECT REPEAT('x', ${16_777_214 - 4}) AS r`)
    seen.entries.length = 0
    const [row] = await c.query(`SELECT REPEAT('x', ${size - 4}) AS r`)
    t.equal((row as { r: string }[])[0]?.r.length, size - 4, 'a row of that many bytes')
    const head = "SELECT LENGTH('"
    const text = `${head}${'y'.repeat(size - 1 - head.length - ') AS n'.length - 1)}') AS n`
    t.equal(text.length + 1, size)
    const [said] = await c.query(text)
    t.match(said, [{ n: size - 1 - head.length - ') AS n'.length - 1 }])
    const [bound] = await c.execute('SELECT LENGTH(?) AS n', ['z'.repeat(size)])
    t.match(bound, [{ n: size }])
    const [after] = await c.query('SELECT 1 AS one')
    t.same(after, [{ one: 1 }], 'the session goes on')
    t.match(seen.entries, [
      { rows: 1, tags: ['ROWS 1'] },
      { sql: /^SELECT LENGTH\('yyy/, sqlTail: /yyy'\) AS n$/, sqlCut: { bytes: size }, rows: 1 },
      { type: 'execute', sql: 'SELECT LENGTH(?) AS n', valuesCut: { bytes: Number }, rows: 1 },
      { sql: 'SELECT 1 AS one', rows: 1 },
    ])
  }
  await c.end()
})

t.test('secrets: in texts, in values of parameters for them, and in errors', async (t) => {
  const c = await open()
  await c.query("CREATE USER IF NOT EXISTS carol@'%' IDENTIFIED BY 'hunter2 of carol'")
  await c.query("SET PASSWORD FOR carol@'%' = PASSWORD('hunter3 of carol')")
  await numberOf(c.query("CREATE USER dave IDENTIFIED BY 'hunter4 of dave' nonsense"))
  await numberOf(c.execute('CREATE USER erin IDENTIFIED BY ?', ['hunter5 of erin']))
  await c.query("DROP USER carol@'%'")
  await c.end()
  t.ok(seen.entries.length >= 5)
  t.notMatch(JSON.stringify(seen.entries), /hunter/)
})

t.test('the mariadb client: several statements, another database, completion of names, KILL', async (t) => {
  const login = ['--no-defaults', '-h127.0.0.1', `-P${piped.port}`, `-u${user}`, `-p${password}`, '--skip-ssl']
  const sql = 'SELECT COUNT(*) FROM customers;\nUSE billing\nSELECT COUNT(*) FROM invoices; KILL QUERY 77;\n'
  const { stdout } = await run('mariadb', [...login, '--auto-rehash', 'orders', '-e', sql])
  t.match(stdout, /200\n.*\n300\n/)
  t.match(entry('SELECT COUNT(*) FROM customers'), { rows: 1 })
  t.match(
    seen.entries.find(({ command }) => command === 'INIT_DB'),
    { detail: 'billing' },
  )
  t.same(kills, [[77, 'query']])
})

t.test('PyMySQL: rows that are read one by one, and a statement that changes', async (t) => {
  const program = `
import pymysql, pymysql.cursors
c = pymysql.connect(host='127.0.0.1', port=${piped.port}, user='${user}', password='${password}', database='orders')
with c.cursor(pymysql.cursors.SSCursor) as rows:
    rows.execute('SELECT id FROM customers ORDER BY id')
    print(len(list(rows)))
with c.cursor() as cursor:
    print(cursor.execute('CREATE TEMPORARY TABLE py AS SELECT 1 AS a'), cursor.execute('UPDATE py SET a = %s', (2,)))
c.close()
`
  const { stdout } = await run('/usr/bin/python3', ['-c', program])
  t.match(stdout, /^200\n1 1\n$/)
  t.match(entry('SELECT id FROM customers ORDER BY id'), { rows: 200, tags: ['ROWS 200'] })
  t.match(entry('UPDATE py SET a = 2'), { tags: ['OK 1'] })
})
