/** A8: what one session may take in all is bounded, whatever its statements are. A9: the target's process is on record. */
import t, { type Test } from 'tap'
import { rdsPostgres } from '../../src/kinds/rds-postgres/kind.ts'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import {
  bind,
  close,
  connectRaw,
  execute,
  lastError,
  parse,
  query,
  type RawClient,
  sync,
} from '../proxy/postgres/raw-client.ts'
import { waitUntil } from '../wait-until.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen, control, postgres } = engine
const none = { rows: 0, bytes: 0, ms: 0 }

const rowsOf = ({ answers }: RawClient) => answers.filter(({ type }) => type === 'D' || type === 'd').length

async function leave({ socket }: RawClient): Promise<void> {
  const ends = seen.ends.length
  socket.destroy()
  await engine.ended(ends + 1)
}

async function isUsedUp(t: Pick<Test, 'match'>, client: RawClient, ends: number, what: RegExp): Promise<void> {
  await engine.ended(ends + 1)
  await client.closed
  t.match(seen.ends.at(-1), { reason: 'budget-used', stoppedAt: Number })
  t.match(lastError(client), { S: 'FATAL', C: '53400', M: what, D: 'Sallyport error LIMIT_REACHED.', H: /new session/ })
}

t.beforeEach(() => {
  control.route = {}
  control.budget = undefined
})

t.test('A8: ten rows at a time, sixty times: the rows of all statements count together', async (t) => {
  control.route = { maxRows: 10 }
  control.budget = { ...none, rows: 100 }
  const ends = seen.ends.length
  const client = await connectRaw(t, engine.port)
  client.send(query('BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 1000)'))
  await client.ready(2)
  for (let i = 0; i < 60 && !client.socket.closed; i += 1) {
    client.send(query('FETCH 10 FROM c'))
    await client.ready(3 + i)
  }
  await isUsedUp(t, client, ends, /budget of 100 rows is used up/)
  t.equal(rowsOf(client), 100)
})

t.test('A8: portals, pipelined, count too', async (t) => {
  control.budget = { ...none, rows: 25 }
  const ends = seen.ends.length
  const client = await connectRaw(t, engine.port)
  const messages = Array.from({ length: 60 }, () => [execute('p', 10), close('S', 'unknown')]).flat()
  client.send(query('BEGIN'), parse('s', 'SELECT generate_series(1, 1000)'), bind('p', 's'), ...messages, sync)
  await isUsedUp(t, client, ends, /25 rows/)
  t.equal(rowsOf(client), 25)
})

t.test('A8: rows of COPY TO STDOUT count too', async (t) => {
  control.budget = { ...none, rows: 7 }
  const ends = seen.ends.length
  const client = await connectRaw(t, engine.port)
  client.send(query('COPY (SELECT generate_series(1, 1000)) TO STDOUT'))
  await isUsedUp(t, client, ends, /7 rows/)
  t.equal(rowsOf(client), 7)
})

t.test('A8: a budget that is just enough ends nothing, and the next session has its own', async (t) => {
  control.budget = { ...none, rows: 100 }
  for (const _ of [1, 2]) {
    const client = await connectRaw(t, engine.port)
    client.send(query('SELECT generate_series(1, 100)'))
    t.match(await client.ready(2), /Z$/)
    t.equal(rowsOf(client), 100)
    await leave(client)
  }
})

t.test('A8: bytes in one row, in many, and from the client', async (t) => {
  control.budget = { ...none, bytes: 100_000 }
  const shapes = {
    'one row': [query("SELECT repeat('x', 5000000)")],
    'many rows': [query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")],
    'a statement': [query(`SELECT 1 /* ${'x'.repeat(200_000)} */`)],
  }
  for (const [shape, messages] of Object.entries(shapes)) {
    const [ends, before] = [seen.ends.length, engine.relayed()]
    const client = await connectRaw(t, engine.port)
    client.send(...messages)
    await engine.ended(ends + 1)
    await client.closed
    t.match(seen.ends.at(-1), { reason: 'budget-used' }, shape)
    const after = engine.relayed()
    if (shape === 'many rows')
      t.ok(after.down - before.down < 300_000, `${after.down - before.down} bytes of many rows`)
    if (shape === 'a statement')
      t.ok(after.up - before.up <= 100_000, 'the client’s bytes are refused before they go on')
    if (shape !== 'one row') t.match(lastError(client), { C: '53400', M: /budget of 100000 bytes/ }, shape)
  }
})

t.test('A8: minutes: an idle session and a busy one', async (t) => {
  control.budget = { ...none, ms: 300 }
  for (const statement of ['SELECT 1', 'SELECT pg_sleep(60)']) {
    const ends = seen.ends.length
    const client = await connectRaw(t, engine.port)
    client.send(query(statement))
    await isUsedUp(t, client, ends, /budget of 0\.005 minutes/)
  }
  t.match(seen.ends.at(-1), { unfinished: 'ended' }, 'what ran is ended')
})

t.test('A8: the three settings of a level', async (t) => {
  const read = (more: object) => rdsPostgres.level.read({ db_user: 'sallyport_ro', ...more })
  t.match(read({}), { ok: true, value: { budget: null } })
  t.match(read({ max_session_rows: 5, max_session_bytes: '2MB', max_session_minutes: 90 }), {
    ok: true,
    value: { budget: { rows: 5, bytes: 2_000_000, ms: 5_400_000 } },
  })
  for (const wrong of [{ max_session_rows: 0 }, { max_session_bytes: '0KB' }, { max_session_bytes: 7 }])
    t.match(read(wrong), { ok: false, problems: [{ path: Object.keys(wrong)[0] }] })
  t.match(read({ max_session_minutes: 10_081 }), { ok: false, problems: [{ path: 'max_session_minutes' }] })
})

t.test(
  'A9: pid and start of the target’s process: in the row, in the recording, as pg_stat_activity has them',
  async (t) => {
    seen.targets.length = 0
    const client = await connectRaw(t, engine.port)
    await waitUntil(() => seen.targets.length > 0)
    const { rows } = await postgres.query(
      'orders',
      `SELECT pid::text, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS start
       FROM pg_stat_activity WHERE application_name LIKE 'sallyport:%'`,
    )
    t.match(seen.details.at(-1), { backend_pid: rows[0].pid, backend_start: rows[0].start })
    t.match(seen.targets, [{ type: 'target', pid: Number(rows[0].pid), backendStart: rows[0].start }])
    await leave(client)
  },
)

for (const [what, startup] of [
  ['a search_path that hides the catalog', 'SET search_path = evil, pg_catalog'],
  ['another time zone and date style', "SET TIME ZONE 'Asia/Kolkata'; SET datestyle = 'German'"],
  ['a statement_timeout of a millisecond', 'SET statement_timeout = 1'],
] as const)
  t.test(`A9: ${what} changes nothing of the proof`, async (t) => {
    await postgres.query('orders', 'CREATE SCHEMA IF NOT EXISTS evil; GRANT USAGE ON SCHEMA evil TO PUBLIC')
    await postgres.query('orders', 'CREATE OR REPLACE FUNCTION evil.pg_backend_pid() RETURNS int RETURN 1')
    const user = 'sallyport_rw'
    for (const setting of startup.split('; ')) await postgres.query('orders', `ALTER ROLE ${user} ${setting}`)
    t.teardown(() => postgres.query('orders', `ALTER ROLE ${user} RESET ALL`))
    const client = await connectRaw(t, engine.port)
    const detail = seen.details.at(-1) ?? {}
    const found = await postgres.query('orders', 'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND usename = $2', [
      detail.backend_pid ?? 0,
      user,
    ])
    t.equal(found.rowCount, startup.includes('timeout') && !detail.backend_pid ? 0 : 1)
    await leave(client)
  })

t.test('A9: the name that a client sets is its own; RESET ALL and DISCARD ALL bring the session’s back', async (t) => {
  const client = await connectRaw(t, engine.port)
  let asked = 1
  const ask = async (sql: string) => {
    asked += 1
    client.send(query(sql))
    await client.ready(asked)
  }
  const name = async () => {
    await ask("SELECT current_setting('application_name')")
    return client.answers.findLast(({ type }) => type === 'D')?.body.toString('utf8') ?? ''
  }
  t.match(await name(), /sallyport:ses_/)
  for (const reset of ['RESET ALL', 'DISCARD ALL']) {
    await ask("SET application_name = 'PostgreSQL JDBC Driver'")
    t.match(await name(), /JDBC/)
    await ask(reset)
    t.match(await name(), /sallyport:ses_/, reset)
  }
  await leave(client)
})
