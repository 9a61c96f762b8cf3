/** Two daemons on one store: a session is ended, counted and cancelled at either, whichever carries it. */
import t, { type Test } from 'tap'
import type { CancelAsk, StopAsk, StopResult } from '../../../proxy/doorman.ts'
import { makeSessionNumber } from '../../../proxy/place.ts'
import { BrokerError, type SessionPermit } from '../../../proxy/session.ts'
import { postgresPlace } from '../store/both-stores.ts'
import { allowed, ask, resource, start, startSessions } from './sessions-setup.ts'

t.setTimeout(120_000)

type Daemon = Awaited<ReturnType<typeof startSessions>>
type Options = Pick<NonNullable<Parameters<typeof startSessions>[1]>, 'perPrincipal' | 'perResource' | 'peers'>

async function startTwo(t: Test, options: Options = {}) {
  const place = await postgresPlace()
  const a = await startSessions(t, { ...options, place, id: 'dmn_a', number: 1 })
  const b = await startSessions(t, { ...options, place, id: 'dmn_b', number: 2 })
  /** What one has written, as the log tells the other. */
  const hear = (to: Daemon, from: Daemon) => {
    for (const [i, event] of from.events.entries()) to.sessions.apply({ ...event, seq: i, at: start + 50, hash: '' })
  }
  return { a, b, hear }
}

const by = { id: 'prn_9', name: 'dave@example.com' }
const why = ({ signal }: SessionPermit): unknown => (signal.aborted ? signal.reason : 'it runs')
const kills = ({ events }: Daemon) => events.filter(({ type }) => type === 'session.killed')

t.test('killed at the one that does not carry it: told to the other, which cuts it', async (t) => {
  const { a, b, hear } = await startTwo(t)
  const [permit, other] = [await a.host.open(ask), await a.host.open(ask)]
  await b.sessions.kill(permit.sessionId, by, 'incident')
  const fields = { session: permit.sessionId, grant: 'grt_1', principal: 'prn_1', resource: resource.id }
  t.match(kills(b), [{ actor: 'prn_9', fields, text: { name: by.name, reason: 'incident' } }])
  hear(a, b)
  const text = 'the session was ended by dave@example.com: incident'
  t.match(why(permit), { reason: 'killed', text, decidedAt: start + 50 })
  t.equal(why(other), 'it runs')
  await a.host.end(permit, { reason: 'killed', bytesUp: 0, bytesDown: 0 })
  await t.rejects(b.sessions.kill(permit.sessionId, by, ''), { code: 'NOT_FOUND' }, 'it is over')
  await t.rejects(b.sessions.kill('ses_unknown', by, ''), { code: 'NOT_FOUND' })
  t.equal(kills(b).length, 1)
})

t.test('one that ends while it is being killed elsewhere: no event tells of a kill', async (t) => {
  const { a, b } = await startTwo(t)
  const permit = await a.host.open(ask)
  const { find } = b.store
  Object.assign(b.store, {
    find: async (id: string) => {
      const row = await find(id)
      await a.host.end(permit, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
      return row
    },
  })
  await t.rejects(b.sessions.kill(permit.sessionId, by, ''), { code: 'NOT_FOUND' })
  t.same(kills(b), [])
})

t.test('at the one that carries it a kill takes effect at once', async (t) => {
  const { a } = await startTwo(t)
  const permit = await a.host.open(ask)
  await a.sessions.kill(permit.sessionId, by, '')
  t.match(why(permit), { reason: 'killed', text: 'the session was ended by dave@example.com' })
})

t.test('the limit of a person counts the sessions at all daemons', async (t) => {
  const { a, b } = await startTwo(t, { perPrincipal: 3 })
  const permits = [await a.host.open(ask), await a.host.open(ask)]
  await b.host.open(ask)
  for (const { host } of [a, b])
    await t.rejects(host.open(ask), { code: 'TOO_MANY_SESSIONS', message: /3 of them are yours/ })
  const another = { ...ask, identity: { ...ask.identity, principalId: 'prn_2' } }
  await b.host.open(another)
  await a.host.end(permits[0] as SessionPermit, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
  await b.host.open(ask)
  await t.rejects(a.host.open(ask), { code: 'TOO_MANY_SESSIONS' })
})

t.test('the limit of a resource counts the sessions at all daemons; of another resource they are none', async (t) => {
  const { a, b } = await startTwo(t, { perResource: 2 })
  const as = (principalId: string) => ({ ...ask, identity: { ...ask.identity, principalId } })
  await a.host.open(as('prn_1'))
  await b.host.open(as('prn_2'))
  await t.rejects(a.host.open(as('prn_3')), { code: 'TOO_MANY_SESSIONS', message: /2 to this resource/ })
  const answer = allowed(start + 3_600_000)
  if (!answer.allowed) throw new Error('unreachable')
  const ledger = { ...resource, id: resource.id.replace('orders', 'ledger') }
  a.state.answer = { ...answer, held: { ...answer.held, resource: ledger } }
  await a.host.open(as('prn_3'))
})

t.test('a cancel reaches the daemon that its key names, and the one that received it counts wrong keys', async (t) => {
  const asked: number[] = []
  let isReachable = true
  const peers = {
    stop: async () => 'unknown' as const,
    cancel: async (daemon: number, what: CancelAsk) => {
      asked.push(daemon)
      if (!isReachable) throw new Error('no answer')
      return daemon === 1 && (await a.sessions.stops.cancelHere(what))
    },
  }
  const { a, b } = await startTwo(t, { peers })
  const key = Buffer.from('right')
  const controls = {
    cut: () => {},
    runsUntil: () => {},
    cancel: async (what: { key: Uint8Array }) => key.equals(what.key),
    stop: async () => 'unknown' as const,
    tell: async () => false,
    drain: () => {},
    endLost: async () => false,
  }
  const here = a.sessions.serve(controls)
  const there = b.sessions.serve(controls)
  const cancel = (doorman: typeof here, daemon: number, given: Uint8Array, address = '192.0.2.1') =>
    doorman.cancel({
      protocol: 'postgres',
      id: makeSessionNumber({ daemon, front: here.place.front }),
      key: given,
      origin: { address, port: 1, via: 'listener' },
    })
  t.same([here.place.daemon, there.place.daemon], [1, 2])
  t.equal(await cancel(there, 1, key), true)
  t.equal(await cancel(here, 1, key), true)
  t.same(asked, [1])
  t.equal(await cancel(there, 77, key), false, 'there is no such daemon')
  isReachable = false
  for (let i = 0; i < 20; i++) t.equal(await cancel(there, 1, key), false)
  isReachable = true
  t.equal(await cancel(there, 1, key), true, 'what could not be passed on was not wrong')
  for (let i = 0; i < 10; i++) t.equal(await cancel(there, 1, Buffer.from('wrong'), '192.0.2.7'), false)
  t.equal(await cancel(there, 1, key, '192.0.2.7'), false, 'blocked for a minute')
  t.equal(
    await a.sessions.stops.cancelHere({
      protocol: 'postgres',
      id: makeSessionNumber({ daemon: 2, front: 0 }),
      key,
      origin: { address: '::1', port: 1, via: 'api' },
    }),
    false,
    'no daemon passes it on twice',
  )
})

t.test(
  'a person stops a session of theirs at another daemon, by its number; nobody is blocked for asking',
  async (t) => {
    const results: Record<string, StopResult> = {}
    const asked: string[] = []
    let isReachable = true
    const stopAt = (name: string) => async (what: StopAsk) => {
      asked.push(`${name} ${what.number} ${what.principalId}`)
      return results[name] ?? 'unknown'
    }
    const peers = {
      cancel: async () => false,
      stop: async (what: StopAsk) => {
        if (!isReachable) throw new BrokerError('PEER_UNREACHABLE')
        return await b.sessions.stops.stopHere(what)
      },
    }
    const { a, b } = await startTwo(t, { peers })
    const no = async () => false
    const controls = { cut: () => {}, runsUntil: () => {}, drain: () => {}, cancel: no, tell: no, endLost: no }
    const here = a.sessions.serve({ ...controls, stop: stopAt('a') })
    a.sessions.serve({ ...controls, stop: stopAt('a, its other front') })
    b.sessions.serve({ ...controls, stop: stopAt('b') })
    const origin = { address: '192.0.2.8', port: 1, via: 'listener' } as const
    const who = { principalId: 'prn_1', resourceId: resource.id }
    const stop = (number: number) => here.stop({ protocol: 'mysql', number, what: 'statement', ...who, origin })
    for (let i = 0; i < 20; i += 1) t.equal(await stop(i), 'unknown')
    t.same(asked.slice(-3), ['a 19 prn_1', 'a, its other front 19 prn_1', 'b 19 prn_1'])
    results.b = 'done'
    t.equal(await stop(7), 'done', 'asking in vain does not block')
    results.a = 'denied'
    t.equal(await stop(7), 'done', 'at the target’s number, which is another person’s session here')
    results.b = 'unknown'
    t.equal(await stop(7), 'denied')
    results['a, its other front'] = 'done'
    asked.length = 0
    t.equal(await stop(7), 'done')
    t.equal(asked.length, 2, 'no other daemon is asked')
    for (const name of Object.keys(results)) delete results[name]
    isReachable = false
    await t.rejects(stop(7), { code: 'PEER_UNREACHABLE' })
    t.equal(a.events.filter(({ type }) => type === 'strangers.failed').length, 0)
  },
)
