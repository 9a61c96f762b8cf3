/** The store of two daemons is away: shorter than `store.grace` nothing ends, longer everything does, and both go on by themselves. */
import t, { type Test } from 'tap'
import { quietFor, waitUntil } from '../wait-until.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { endOf, eventsOf, foundIn, openSessions, startOnWays } from './store-ways.ts'
import { daemonNames } from './two-daemons.ts'

t.setTimeout(400_000)
if (process.env.CI === 'true' && process.env.SALLYPORT_OUTAGE_SECONDS === undefined) {
  t.comment('of CI it runs in .ci/long')
  process.exit(0)
}
const outageSeconds = Number(process.env.SALLYPORT_OUTAGE_SECONDS ?? 8)
const [shortMs, graceMs] = [outageSeconds * 250, outageSeconds * 500]

const two = await startOnWays({ overrides: { store: { grace: `${graceMs}ms` } } })
t.teardown(() => two.close())
const { at, ways } = two
const doors = daemonNames.map((name) => at[name])

const isNamed = async (name: (typeof daemonNames)[number]) =>
  (await two.problems(name)).some((problem) => problem.includes('store'))

async function nothingOpens(t: Test, tokens: readonly Awaited<ReturnType<typeof issueToken>>[]): Promise<void> {
  for (const [i, door] of doors.entries()) {
    const { message } = await refusal(clientFor(door, tokens[i] as (typeof tokens)[number]))
    t.not(message, 'it opened')
  }
}

await t.test('away for less than store.grace: sessions run on, nothing opens, and then all is as before', async (t) => {
  const { id } = await at.a.grant()
  const sessions = await Promise.all(doors.map((door) => openDatabase(door)))
  const tokens = await Promise.all(doors.map((door) => issueToken(door)))
  for (const name of daemonNames) ways[name].refuse()
  for (const name of daemonNames) await waitUntil(() => isNamed(name), `${name} says that its store is away`)
  await nothingOpens(t, tokens)
  await quietFor(Math.max(shortMs - 2000, 0), 'the outage takes so long')
  for (const { client } of sessions) t.equal((await client.query('select 1')).rowCount, 1, 'it runs on')
  for (const name of daemonNames) ways[name].pass()
  await two.bothReady()
  for (const { client } of sessions) t.equal((await client.query('select 1')).rowCount, 1, 'it runs on')
  t.same((await openSessions(at.b)).sort(), sessions.map(({ sessionId }) => sessionId).sort())
  for (const door of doors) await (await openDatabase(door)).client.end()

  await at.a.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  const [, atB] = sessions
  t.match(await atB?.lost, { code: '57P01', message: /incident 42/ })
  const [revoked] = await eventsOf(at.a, 'grant.revoked', id)
  const ended = await endOf(at.a, atB?.sessionId ?? '')
  const ms = Number(ended.fields.stopped_at) - (revoked?.at ?? 0)
  t.ok(ms <= 1000, `what is revoked at one is cut at the other: ${ms} ms`)
})

await t.test('silent for longer than store.grace: sessions end as store-lost, once, and both go on', async (t) => {
  await at.a.grant()
  const sessions = await Promise.all(doors.map((door) => openDatabase(door)))
  const tokens = await Promise.all(doors.map((door) => issueToken(door)))
  const since = performance.now()
  for (const name of daemonNames) ways[name].silence()
  for (const { lost } of sessions) t.match(await lost, { code: '57P01', message: /lost its store/ })
  const afterMs = performance.now() - since
  t.ok(afterMs >= graceMs - 1500 && afterMs < graceMs + 5000, `after ${Math.round(afterMs)} of ${graceMs} ms`)
  await nothingOpens(t, tokens)
  await quietFor(Math.max(outageSeconds * 1000 - (performance.now() - since), 0), 'the outage takes so long')
  for (const name of daemonNames) ways[name].pass()
  await two.bothReady(60_000)
  for (const { sessionId } of sessions) {
    t.match(await endOf(at.a, sessionId), { fields: { reason: 'store-lost' } })
    t.equal((await eventsOf(at.b, 'session.ended', sessionId)).length, 1)
  }
  await waitUntil(async () => (await openSessions(at.a)).length === 0, 'no session is open in the books', 20_000, 200)
  t.same(await foundIn(at.b), [])
  for (const door of doors) await (await openDatabase(door)).client.end()
  for (const name of daemonNames) t.notMatch(two.daemons[name].log(), /fenced/, 'nobody was given up')
})
