/** Endpoints that lead to a reader, and that have a pooler behind them. */
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'
import { cstring, int32, message } from './raw-client.ts'
import { signedIn, startTarget } from './scripted-target.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { control, seen, postgres } = engine

t.beforeEach(() => {
  control.route = {}
  control.traits = {}
  for (const list of [seen.entries, seen.ends, seen.details, engine.errors]) list.length = 0
})

async function connect(t: Test): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
  client.on('error', () => {})
  t.teardown(() => client.end().catch(() => {}))
  await client.connect()
  return client
}

const outcomeOf = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)
const field = (text: string) => Buffer.concat([int32(text.length), Buffer.from(text)])

t.test('the endpoint for writing led to a reader: refused, so that a pool tries again', async (t) => {
  const instant = '2026-11-28T00:00:00.000000Z'
  const row = (isReader: string) =>
    message('D', Buffer.from([0, 4]), ...['4711', instant, instant, isReader].map(field))
  const done = Buffer.concat([message('C', cstring('SELECT 1')), message('Z', Buffer.from('I'))])
  const target = await startTarget(t, { onPassword: (socket) => socket.write(signedIn) })
  const { port, serverName, ca } = target
  control.route = { port, serverName, ca }
  control.traits = { isWriter: true }
  target.script.onProof = (socket) => socket.write(Buffer.concat([row('t'), done]))
  t.match(await outcomeOf(connect(t)), { code: '57P03', message: /only reads/, hint: /failover is under way/ })
  target.script.onProof = (socket) => socket.write(Buffer.concat([row('f'), done]))
  await connect(t)
  control.traits = {}
  target.script.onProof = (socket) => socket.write(Buffer.concat([row('t'), done]))
  await connect(t)
  await waitUntil(() => seen.details.length === 2, 'a reader is right where no writer is due')
})

t.test('a real writer is taken for one', async (t) => {
  control.traits = { isWriter: true }
  const client = await connect(t)
  t.match((await client.query('select 1 as one')).rows, [{ one: 1 }])
  t.match(seen.details.at(-1), { backend_pid: String })
})

t.test('behind RDS Proxy nothing is taken for the session’s process, and a cut says what it leaves', async (t) => {
  control.traits = { isPooled: true }
  const client = await connect(t)
  t.notOk('backend_pid' in (seen.details.at(-1) ?? {}))
  const slept = outcomeOf(client.query('select pg_sleep(1)'))
  const runs = async () => {
    const { rows } = await postgres.query(
      'postgres',
      "select 1 from pg_stat_activity where query = 'select pg_sleep(1)'",
    )
    return rows.length > 0
  }
  await waitUntil(runs, 'it runs')
  await engine.cut()
  t.match(await slept, { code: '57P01', message: /incident 42/ })
  await waitUntil(() => seen.ends.some(({ reason }) => reason === 'grant-revoked'), 'it has ended')
  t.match(seen.ends.at(-1), {
    unfinished: 'closed',
    error: { code: 'UNSUPPORTED', detail: /RDS Proxy carries no cancel, so a statement that is running may finish/ },
  })
})

t.test('a storm of connections: some wait for their turn, the others are told so at once', async (t) => {
  control.traits = { signInsPerSecond: 1, connectTimeoutMs: 4000 }
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => outcomeOf(connect(t))))
  const refused = outcomes.filter((one) => one instanceof Error)
  t.ok(refused.length >= 10 && refused.length <= 20, `${refused.length} of 30`)
  for (const error of refused)
    t.match(error, { code: '53300', message: /connections? waits? to sign in/, hint: /at most 1 new ones a second/ })
})
