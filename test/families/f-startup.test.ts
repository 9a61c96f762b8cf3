/** F11: what drivers, poolers and people put into the startup message. A real server says what is right. */
import { once } from 'node:events'
import { connect } from 'node:net'
import pg from 'pg'
import t from 'tap'
import { isHarmless } from '../../proxy/postgres/sign-in/harmless-settings.ts'
import { readStartup } from '../../proxy/postgres/sign-in/startup.ts'
import { upstreamParameters } from '../../proxy/postgres/target/upstream-parameters.ts'
import { parseBoolean, parseMilliseconds } from '../../proxy/wire/postgres/setting-values.ts'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import { cstring, int32 } from '../proxy/postgres/raw-client.ts'

const engine = await startEngine({ route: { statementTimeoutMs: 60_000 } })
t.teardown(() => engine.close())

const ask = (parameters: Record<string, string>) =>
  readStartup({
    kind: 'startup',
    major: 3,
    minor: 0,
    parameters: new Map(Object.entries({ user: 'a', ...parameters })),
    extensions: [],
  })

/** What the server says inside a session that began with these options. */
async function settingsOf(options: string, names: readonly string[]): Promise<(string | null)[]> {
  const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders', options })
  await client.connect()
  try {
    const { rows } = await client.query<{ value: string | null }>(
      'select current_setting(name, true) as value from unnest($1::text[]) with ordinality as n(name, at) order by at',
      [names],
    )
    return rows.map(({ value }) => value)
  } finally {
    await client.end()
  }
}

t.test('F11: replication=false is what every session is; any other value is refused', (t) => {
  for (const replication of ['false', 'FALSE', 'f', 'off', 'of', 'no', 'n', '0'])
    t.notOk(ask({ replication }).parameters.has('replication'), replication)
  for (const replication of ['true', 't', 'on', 'yes', '1', 'database', '', 'o', 'falsey', 'off '])
    t.throws(() => ask({ replication }), { code: 'UNSUPPORTED', message: /replication/ }, replication)
  t.throws(() => ask({ options: '-c replication=false' }), { code: 'UNSUPPORTED' }, 'it is no setting')
  t.end()
})

t.test('F11: a session with replication=false works, and replicates nothing', async (t) => {
  const startup = Object.entries({ user: 'anyone', database: 'orders', replication: 'false' })
  const body = Buffer.concat([int32(196_608), ...startup.flat().map(cstring), Buffer.from([0])])
  const socket = connect(engine.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(Buffer.concat([int32(body.length + 4), body]))
  const [first] = (await once(socket, 'data')) as [Buffer]
  t.equal(first.toString('latin1', 0, 1), 'R')
  t.equal(first.readInt32BE(5), 0, 'AuthenticationOk')
})

t.test('F11: settings of the planner, of memory and of applications reach the server', async (t) => {
  const given = {
    enable_seqscan: 'off',
    random_page_cost: '1.5',
    join_collapse_limit: '3',
    max_parallel_workers_per_gather: '0',
    maintenance_work_mem: '32MB',
    synchronous_commit: 'off',
    default_statistics_target: '50',
    row_security: 'off',
    'app.tenant': 'blue',
    standard_conforming_strings: 'on',
  }
  const options = Object.entries(given)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
  t.same(await settingsOf(options, Object.keys(given)), Object.values(given))
})

t.test('F11: every setting that passes is one that any role may change', async (t) => {
  const { rows } = await engine.postgres.query('orders', 'select lower(name) as name, context from pg_settings')
  const wrong = (rows as { name: string; context: string }[])
    .filter(({ name, context }) => isHarmless(name) && context !== 'user')
    .map(({ name, context }) => `${name}: ${context}`)
  t.same(wrong, [])
  for (const name of ['role', 'session_authorization', 'local_preload_libraries', 'log_statement', 'debug_print_plan'])
    t.notOk(isHarmless(name), name)
  t.throws(() => ask({ standard_conforming_strings: 'off' }), { code: 'UNSUPPORTED' }, 'it changes how text is read')
})

t.test('F11: booleans and durations are read as the server reads them', async (t) => {
  const asServer = async (name: string, text: string): Promise<string | undefined> => {
    const sql = 'select setting from set_config($1, $2, false), pg_settings where name = $1'
    const { rows } = await engine.postgres.query('orders', sql, [name, text]).catch(() => ({ rows: [] }))
    return (rows as { setting: string }[])[0]?.setting
  }
  for (const text of [
    '5s',
    '5',
    ' 5 s ',
    '1min',
    '1.5s',
    '.5s',
    '0',
    '0ms',
    '400us',
    '0x10',
    '010',
    '08',
    '1e3',
    '-1',
    '5S',
    '5 m',
    '1d',
    '25d',
    '3000000000',
    '',
    's',
    '5ss',
    '5s5',
    '5\n',
    '+5s',
    '0x10s',
    'none',
    '1h1m',
    '2147483647',
  ]) {
    const server = await asServer('statement_timeout', text)
    t.equal(parseMilliseconds(text), server === undefined ? undefined : Number(server), JSON.stringify(text))
  }
  for (const text of ['on', 'o', 'of', 'OFF', 't', 'tru', 'True', 'y', 'n', '1', '0', '', '2', 'offf', ' on'])
    t.equal({ on: true, off: false }[(await asServer('enable_seqscan', text)) ?? ''], parseBoolean(text), text)
})

t.test('F11: statement_timeout is the smaller of the client’s and the level’s', async (t) => {
  const timeout = async (options: string) => (await settingsOf(options, ['statement_timeout']))[0]
  t.equal(await timeout('-c statement_timeout=5s'), '5s')
  t.equal(await timeout('--statement-timeout=2min'), '1min')
  t.equal(await timeout('-c statement_timeout=0'), '1min', '0 means none, which is longer')
  t.equal(await timeout('-c statement_timeout=4999600us'), '5s', 'rounded to milliseconds')
  t.equal(await timeout('-c Statement_Timeout=0.5min'), '30s')
  t.equal(await timeout(''), '1min')
  await t.rejects(timeout('-c statement_timeout=soon'), { message: /invalid value for parameter "statement_timeout"/ })
  const permit = { sessionId: 'ses_1', principalName: 'ada' }
  const as = { user: 'u', database: 'd' }
  const { parameters } = ask({ statement_timeout: '5s' })
  t.equal(upstreamParameters({ parameters }, permit, as, { statementTimeoutMs: 0 }).get('statement_timeout'), '5s')
})
