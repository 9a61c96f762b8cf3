/** Clients that are killed amid what they send: nothing is left at the target, what had run is on record, and nothing is kept. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { jar, skipJava } from '../../e2e/stock-mysql.ts'
import { type Running, startCommand } from '../../sandbox/commands.ts'
import { skipUnlessLong } from '../../sandbox/mysql/mariadb.ts'
import { pythonWith, skipWithoutPython } from '../../sandbox/programs.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'

setFlagsFromString('--expose-gc')

/** Asks `select 'begun'`, and then for what `WHAT` says: the length of 20 MB, or to load `FILE`. */
type Client = (env: NodeJS.ProcessEnv, dir: string) => Running

const mysql2: Client = (env) =>
  startCommand(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createReadStream } from 'node:fs'
import { createConnection } from 'mysql2/promise'
const { HOST: host, PORT: port, WHO: user, SECRET: password, WHAT, FILE } = process.env
const c = await createConnection({ host, port: Number(port), user, password, flags: ['LOCAL_FILES'] })
await c.query("select 'begun'")
const load = "load data local infile '" + FILE + "' into table samples.imported"
const sql = WHAT === 'load' ? load : "select length('" + 'x'.repeat(20_000_000) + "')"
await c.query({ sql, infileStreamFactory: () => createReadStream(FILE) })`,
    ],
    env,
  )

const pymysql: Client = (env) =>
  startCommand(
    pythonWith('pymysql') ?? '',
    [
      '-c',
      `import os, pymysql
e = os.environ
c = pymysql.connect(host=e['HOST'], port=int(e['PORT']), user=e['WHO'], password=e['SECRET'], local_infile=True)
k = c.cursor()
k.execute("select 'begun'")
load = "load data local infile '" + e['FILE'] + "' into table samples.imported"
k.execute(load if e['WHAT'] == 'load' else "select length('" + 'x' * 20000000 + "')")`,
    ],
    env,
  )

const connectorJ: Client = (env, dir) => {
  const source = path.join(dir, 'KilledClient.java')
  writeFileSync(
    source,
    `import java.sql.*;
class KilledClient {
  public static void main(String[] a) throws Exception {
    var e = System.getenv();
    var url = "jdbc:mariadb://" + e.get("HOST") + ":" + e.get("PORT") + "/?sslMode=disable&allowLocalInfile=true";
    try (var c = DriverManager.getConnection(url, e.get("WHO"), e.get("SECRET")); var s = c.createStatement()) {
      s.execute("select 'begun'");
      var load = "load data local infile '" + e.get("FILE") + "' into table samples.imported";
      s.execute(e.get("WHAT").equals("load") ? load : "select length('" + "x".repeat(20000000) + "')");
    }
  }
}`,
  )
  return startCommand('java', ['-cp', jar, source], env)
}

const clients: readonly (readonly [name: string, client: Client, skip: string | false])[] = [
  ['mysql2', mysql2, false],
  ['PyMySQL', pymysql, skipWithoutPython('pymysql')],
  ['MariaDB Connector/J', connectorJ, skipJava],
]

const absent = skipUnlessLong()
if (absent) t.plan(0, absent)
else await testKilled()

async function testKilled(): Promise<void> {
  t.setTimeout(180_000)
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { control, mariadb, rds, seen, port } = engine
  control.route = { localInfile: true }
  const dir = t.testdir({ rows: '1\tone\n'.repeat(4_000_000) })
  const env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), WHO: 'anyone', SECRET: 'local' }
  const collect: unknown = runInNewContext('gc')
  const kept = () => {
    if (typeof collect === 'function') collect()
    return process.memoryUsage().arrayBuffers
  }
  const baseline = kept()

  for (const [name, client, skip] of clients)
    for (const what of ['load', 'wide'])
      await t.test(`${name} amid ${what === 'load' ? 'LOAD DATA LOCAL' : 'a packet of 20 MB'}`, { skip }, async (t) => {
        for (const list of [seen.entries, seen.ends]) list.length = 0
        const before = seen.relayed.up
        const running = client({ ...env, WHAT: what, FILE: path.join(dir, 'rows') }, dir)
        t.teardown(() => running.child.kill('SIGKILL'))
        const said = () => running.output
        const isBegun = () => seen.entries.some(({ sql, rows }) => sql === "select 'begun'" && rows === 1)
        await waitUntil(isBegun, said, 60_000)
        const loads = "select 1 from information_schema.processlist where info like 'load data%'"
        if (what === 'load') await waitUntil(async () => (await mariadb.query(loads)).length > 0, said)
        // The target takes no more, so that the client is stopped in the middle.
        process.kill(mariadb.pid, 'SIGSTOP')
        try {
          await waitUntil(() => seen.relayed.up - before > 300_000, said, 30_000)
          t.equal(running.child.exitCode, null, 'it is sending')
          running.child.kill('SIGKILL')
          await running.ended
        } finally {
          process.kill(mariadb.pid, 'SIGCONT')
        }
        await engine.ended(1)
        t.match(seen.ends, [{ reason: 'client-closed' }])
        await waitUntil(() => rds.open === 0, 'nothing is left at the target')
        const threads = "select 1 from information_schema.processlist where user = 'sallyport_rw'"
        await waitUntil(async () => (await mariadb.query(threads)).length === 0, 'and no thread works on')
        t.ok(isBegun(), 'what had run is on record')
        if (what === 'load')
          t.match(seen.entries.at(-1), { sql: /^load data local/, unfinished: true, copyIn: { bytes: Number } })
        t.equal(seen.reserved, 0)
        t.same(await mariadb.query('select count(*) as n from samples.imported'), [{ n: 0 }], 'nothing of it stays')
        await waitUntil(
          () => kept() - baseline < 4_000_000,
          () => `${kept() - baseline} bytes are kept`,
          10_000,
          100,
        )
      })
}
