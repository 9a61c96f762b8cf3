/** One of two daemons is cut off from the store: the other gives it up when its sessions have ended, and it comes back as itself. */
import t from 'tap'
import { waitUntil } from '../wait-until.ts'
import { openDatabase } from './database-client.ts'
import { endOf, eventsOf, foundIn, openSessions, startOnWays } from './store-ways.ts'

t.setTimeout(300_000)

t.test('one daemon is cut off from the store', async (t) => {
  const two = await startOnWays({ overrides: { store: { grace: '3s' } } })
  t.teardown(() => two.close())
  const { a, b } = two.at
  await a.grant()
  const [here, there] = [await openDatabase(a), await openDatabase(b)]

  two.ways.b.silence()
  t.match(await there.lost, { code: '57P01', message: /lost its store/ }, 'it ends its sessions by itself')
  t.same((await openSessions(a)).sort(), [here.sessionId, there.sessionId].sort(), 'which the other does not know yet')
  t.equal((await here.client.query('select 1')).rowCount, 1, 'what runs at the other runs on')
  t.match(await endOf(a, there.sessionId, 40_000), { fields: { reason: 'daemon-lost' } })
  t.ok(await two.metric('a', 'sallyport_daemons{state="live"} 1'))

  two.ways.b.pass()
  await waitUntil(() => two.metric('a', 'sallyport_daemons{state="live"} 2'), 'it is back', 60_000, 200)
  await two.bothReady()
  t.equal(two.daemons.b.log().split('"why":"lost"').length, 2, 'it was fenced once, and began anew')
  const [lost, ...more] = await eventsOf(a, 'daemon.lost', String(lostDaemon(two.daemons.b.log())))
  t.ok(lost)
  t.same(more, [])
  t.equal((await eventsOf(a, 'session.ended', there.sessionId)).length, 1, 'its session ends once')
  t.same(await openSessions(b), [here.sessionId])
  await (await openDatabase(b)).client.end()
  t.equal((await here.client.query('select 1')).rowCount, 1)
  t.same(await foundIn(b), [])
})

/** Its own id, as it says when it is fenced. */
function lostDaemon(log: string): string | undefined {
  return /"daemon":"(dmn_[0-9a-z]{26})","why":"lost"/.exec(log)?.[1]
}
