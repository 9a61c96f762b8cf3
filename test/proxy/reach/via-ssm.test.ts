/** Targets behind instances: through the sandbox's gateway and agents, which dial real ports. */
import { once } from 'node:events'
import t from 'tap'
import { viaSsm } from '../../../proxy/reach/via-ssm.ts'
import type { EndNotice } from '../../../proxy/session.ts'
import { waitUntil } from '../../wait-until.ts'
import { echoes, listen, never, openReach, permitFor } from './reach-fixture.ts'
import { via } from './tunnel-calls.ts'

t.test('sessions with the same key share one tunnel, opened once', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port)
  const wires = await Promise.all([1, 2, 3].map(() => reach.open(permitFor(port), never)))
  const second = await wires[0]?.again(never)
  for (const stream of [...wires.map(({ stream }) => stream), second]) t.ok(stream && (await echoes(stream, 'hello')))
  t.same(asked, [{ sessionId: 'ses-1', instance: 'i-1' }])
  t.match(wires[0]?.address, { host: 'localhost', port })
  const other = await reach.open(permitFor(port, {}, 'localhost', { ...via, key: 'alice’s grant' }), never)
  t.ok(await echoes(other.stream, 'hello'))
  t.equal(asked.length, 2, 'another key, another tunnel')
})

t.test('without a key, sessions of one grant share a tunnel, and of two grants none', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port)
  const open = (grantId: string) => reach.open(permitFor(port, { grantId }, 'localhost', { ...via, key: null }), never)
  for (const grantId of ['grt_1', 'grt_1', 'grt_2']) t.ok(await echoes((await open(grantId)).stream, 'hello'))
  t.equal(asked.length, 2)
})

t.test('an instance that cannot be used: the next one is', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port, ['i-1'])
  const { stream } = await reach.open(permitFor(port), never)
  t.ok(await echoes(stream, 'hello'))
  t.same(
    asked.map(({ instance }) => instance),
    ['i-1', 'i-2'],
  )
  const none = await openReach(t, port, ['i-1', 'i-2'])
  await t.rejects(none.reach.open(permitFor(port), never), { code: 'AWS_DENIED', message: /TargetNotConnected/ })
})

t.test('a tunnel that ended is opened anew, and so is one that nothing used for a while', async (t) => {
  const port = await listen(t)
  const { reach, asked, sessions, ended } = await openReach(t, port, [], { idleMs: 100 })
  const first = await reach.open(permitFor(port), never)
  const closed = new Promise((resolve) => void first.stream.once('close', resolve))
  sessions[0]?.session.terminate('the instance is gone')
  await closed
  const second = await reach.open(permitFor(port), never)
  t.ok(await echoes(second.stream, 'hello'))
  t.equal(asked.length, 2)
  second.reset()
  await waitUntil(() => sessions[1]?.session.issueToken() === undefined, 'the idle session was ended')
  t.ok(await echoes((await reach.open(permitFor(port), never)).stream, 'hello'))
  t.equal(asked.length, 3)
  await waitUntil(() => ended.length === 2, 'AWS is told of both')
  t.same(ended, ['sp-1', 'sp-2'])
})

t.test('a tunnel that was given up while it opened is ended', async (t) => {
  const port = await listen(t)
  const { promise: opened, resolve: letOpen } = Promise.withResolvers<void>()
  const ended: string[] = []
  const openTunnel = async () => {
    await opened
    return { tunnelId: 'sp-1', ticket: { url: 'ws://127.0.0.1:1', token: 'x', headers: {} } }
  }
  const endTunnel = async (tunnelId: string) => void ended.push(tunnelId)
  const tunnels = { openTunnel, endTunnel, tunnelTicket: async () => null }
  const reach = viaSsm({ idleMs: 1, tunnels, onError: (error) => t.fail('no error', { error }) })
  const once = { ...via, instances: ['i-1'] }
  const signal = AbortSignal.timeout(100)
  await t.rejects(reach.open(permitFor(port, {}, 'localhost', once), signal), { code: 'TARGET_UNREACHABLE' })
  await waitUntil(() => signal.aborted, 'it was given up')
  letOpen()
  await waitUntil(() => ended.length === 1, 'AWS is told')
})

t.test('a port that refuses is a target that cannot be reached', async (t) => {
  const { reach } = await openReach(t, 1)
  const { stream } = await reach.open(permitFor(1), never)
  t.match(await once(stream, 'error'), [{ code: 'ECONNREFUSED' }])
})

t.test('nothing is opened without a genuine permit, after a cut, to a link-local address, or in no time', async (t) => {
  const { reach, asked } = await openReach(t, 80)
  const genuine = permitFor(80)
  await t.rejects(reach.open({ ...genuine }, never), { code: 'INTERNAL', message: /no permit/ })
  const notice: EndNotice = { reason: 'grant-revoked', text: 'access was revoked', decidedAt: 0 }
  const cut = permitFor(80, { signal: AbortSignal.abort(notice) })
  await t.rejects(reach.open(cut, never), { code: 'INTERNAL', message: /access was revoked/ })
  for (const host of ['169.254.169.254', 'fd00:ec2::23', 'fe80::1'])
    await t.rejects(reach.open(permitFor(80, {}, host), never), { code: 'TARGET_UNREACHABLE', message: /link-local/ })
  t.same(asked, [])
  await t.rejects(reach.open(genuine, AbortSignal.abort()), { code: 'TARGET_UNREACHABLE', message: /in time/ })
})
