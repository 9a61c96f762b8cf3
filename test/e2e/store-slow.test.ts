/** A store of two daemons that is slow, and one that is read-only: nobody is given up, and no daemon ends. */
import t from 'tap'
import { quietFor, waitUntil } from '../wait-until.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { foundIn, openSessions, startOnWays } from './store-ways.ts'
import { daemonNames } from './two-daemons.ts'

t.setTimeout(400_000)
if (process.env.SALLYPORT_OUTAGE_SECONDS === undefined) {
  t.comment('runs in .ci/long, or with SALLYPORT_OUTAGE_SECONDS')
  process.exit(0)
}
const two = await startOnWays({ overrides: { store: { grace: '5s' } } })
t.teardown(() => two.close())
const { at, ways } = two
const stores = two.sandbox.stores
const database = new URL(two.daemons.a.storeUrl).pathname.slice(1)

await at.a.grant()

await t.test('an answer takes two seconds: slow is not lost', async (t) => {
  const sessions = await Promise.all([openDatabase(at.a), openDatabase(at.b)])
  const leaders = async () => await Promise.all(daemonNames.map((name) => two.metric(name, 'sallyport_is_leader 1')))
  const [leads, other] = await leaders()
  t.not(leads, other, 'one leads')
  for (const name of daemonNames) ways[name].slow(2000)
  await quietFor(11_000, 'longer than store.grace and the lease')
  t.same(await leaders(), [leads, other], 'the same leads')
  for (const name of daemonNames) t.same(await two.problems(name), [], `${name} is ready`)
  for (const { client } of sessions) t.equal((await client.query('select 1')).rowCount, 1, 'it runs on')

  const decided = performance.now()
  const answer = await fetch(`${two.daemons.b.url}/api/v1/sessions/${sessions[0]?.sessionId}/kill`, {
    method: 'POST',
    headers: {
      cookie: at.b.cookie('dave'),
      origin: `http://127.0.0.1:${two.balancer.ports[0]}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ reason: 'slowly' }),
    signal: AbortSignal.timeout(90_000),
  })
  t.equal(answer.status, 204, await answer.text())
  t.match(await sessions[0]?.lost, { code: '57P01', message: /slowly/ })
  t.comment(`killed at the other daemon after ${Math.round(performance.now() - decided)} ms`)
  t.same(await leaders(), [leads, other], 'the same leads')
  for (const name of daemonNames) ways[name].pass()
  await two.bothReady()
  t.equal((await sessions[1]?.client.query('select 1'))?.rowCount, 1, 'it runs on')
  await sessions[1]?.client.end()
  for (const name of daemonNames) t.notMatch(two.daemons[name].log(), /fenced|sessions cut: the store/)
})

await t.test('a read-only store: nothing opens, /readyz says why, sessions end at store.grace', async (t) => {
  const session = await openDatabase(at.a)
  const tokens = await Promise.all(daemonNames.map((name) => issueToken(at[name])))
  await readOnly('on')
  for (const name of daemonNames)
    await waitUntil(
      async () => (await two.problems(name)).some((problem) => /store is read-only/.test(problem)),
      `${name} says why`,
    )
  for (const [i, name] of daemonNames.entries()) {
    const refused = await refusal(clientFor(at[name], tokens[i] as (typeof tokens)[number]))
    t.match(refused, { code: /^(57P03|58000|53|08)/ }, refused.message)
  }
  const answer = await at.a.call('alice', 'POST', '/api/v1/connect-tokens', { resource: 'orders' })
  t.equal(answer.status, 503, await answer.text())
  t.match(
    await session.lost,
    { code: '57P01', message: /lost its store/ },
    'a revocation elsewhere could not be written',
  )

  await readOnly('off')
  await two.bothReady()
  await waitUntil(async () => (await openSessions(at.b)).length === 0, 'all have ended in the books', 20_000, 200)
  for (const name of daemonNames) {
    const { client } = await openDatabase(at[name])
    t.equal((await client.query('select 1')).rowCount, 1, 'and both open again')
    await client.end()
    t.notMatch(two.daemons[name].log(), /fenced/)
  }
  t.same(await foundIn(at.a), [])
})

/** As a standby is. Connections that are open keep what they began with, so they are ended. */
async function readOnly(value: 'on' | 'off'): Promise<void> {
  await stores?.server.query('postgres', `alter database ${database} set default_transaction_read_only = ${value}`)
  await stores?.server.query('postgres', 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
    database,
  ])
}
