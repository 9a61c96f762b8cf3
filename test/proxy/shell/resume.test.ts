/** A terminal whose client is lost, and comes back. */
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { noPty } from '../../sandbox/ssm/shell.ts'
import { waitUntil } from '../../wait-until.ts'
import { sessionId } from '../relay/scripted-doorman.ts'
import { startShell } from './shell-fixture.ts'

const pty = { skip: noPty }

t.test('the same shell goes on, with what was missed, and the gap is on record', pty, async (t) => {
  const { connect, resume, seen, session } = await startShell(t)
  const first = await connect({ isResumable: true })
  await first.shows(/\$ /)
  first.type('sleep 0.2; echo missed$((1+1))\r')
  await first.shows('echo missed')
  const key = await first.key()
  first.socket.terminate()
  await waitUntil(() => textOf(seen.entries).includes('\r\nmissed2'), 'it goes on without a client')
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  await second.shows('missed2')
  t.match(second.seen.messages[0], { resumed: { skipped: 0, typed: 31 } })
  second.type('exit\r')
  t.same(await second.closes(), { code: 1000, reason: '' })
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'upstream-closed' }])
  t.equal(first.seen.screen + second.seen.screen, textOf(seen.entries), 'nothing is lost or doubled')
  const notices = seen.entries.filter(({ type }) => type === 'notice').map(({ text }) => String(text))
  t.match(notices, [/is recorded/, /connection to the client was lost; the session waits 60 s/, /client is back after/])
  t.match(seen.resumes, [{ key, identity: { principalId: 'prn_1' }, carrier: { protocol: 'shell' } }])
  t.same(session.faults, [])
})

t.test('what is more than the buffer is left out, and that is said', pty, async (t) => {
  const { connect, resume, seen } = await startShell(t)
  const first = await connect({ isResumable: true })
  await first.shows(/\$ /)
  const key = await first.key()
  first.type('stty -echo; PS1=; sleep 0.2; seq 1 70000; echo its end\r')
  await first.shows('its end')
  first.socket.terminate()
  await waitUntil(() => textOf(seen.entries).includes('\r\nits end'), 'it is over', 30_000)
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  await second.shows('its end')
  const { skipped } = (second.seen.messages[0] as { resumed: { skipped: number } }).resumed
  t.ok(skipped > 100_000, `${skipped} bytes are left out`)
  t.equal(second.seen.bytes, 256 * 1024)
  t.equal(first.seen.bytes + skipped + second.seen.bytes, Buffer.byteLength(textOf(seen.entries)))
  await waitUntil(
    () => seen.entries.some(({ text }) => /bytes of output were not kept/.test(String(text))),
    'on record',
  )
})

t.test('a client that does not come back ends it, and so does one that leaves', pty, async (t) => {
  const lost = await startShell(t, { resumeMs: 50 })
  const client = await lost.connect({ isResumable: true })
  const key = await client.key()
  client.socket.terminate()
  await waitUntil(() => lost.seen.ends.length === 1, 'the session ended')
  t.match(lost.seen.ends, [{ reason: 'client-closed' }])
  t.equal(lost.seen.channelsEnded, 1)
  const late = await lost.resume({ resume: { key, received: 0 } })
  await late.closes()
  t.match(late.seen.messages, [{ error: { code: 'RESUME_REFUSED' } }])

  const left = await startShell(t)
  const leaver = await left.connect({ isResumable: true })
  await leaver.key()
  leaver.socket.close(1001)
  await waitUntil(() => left.seen.ends.length === 1, 'the session ended')
  t.match(left.seen.ends, [{ reason: 'client-closed' }])
})

t.test('a client that gives its connection up may come back', pty, async (t) => {
  const { connect, resume } = await startShell(t)
  const first = await connect({ isResumable: true })
  const key = await first.key()
  first.socket.close(4000)
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  second.type('echo on$((1+1))\r')
  await second.shows('on2')
})

t.test('two windows cannot share it: the first one is closed, and a key is good once', pty, async (t) => {
  const { connect, resume, seen } = await startShell(t)
  const first = await connect({ isResumable: true })
  await first.shows(/\$ /)
  const key = await first.key()
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  t.same(await first.closes(), { code: 1000, reason: '' })
  t.match(first.seen.messages.at(-1), { end: /goes on in another connection/ })
  second.type('echo on$((1+1))\r')
  await second.shows('on2')
  const third = await resume({ resume: { key, received: 0 } })
  await third.closes()
  t.match(third.seen.messages, [{ error: { code: 'RESUME_REFUSED' } }])
  t.equal(seen.ends.length, 0)
  const next = await second.key()
  t.not(next, key)
  second.socket.terminate()
  await (await resume({ resume: { key: next, received: first.seen.bytes + second.seen.bytes } })).shows(/^/)
})

t.test('a cut while it is away ends it at once; what it was told meanwhile it gets', pty, async (t) => {
  const { connect, resume, seen, cut, host } = await startShell(t)
  const first = await connect({ isResumable: true })
  let key = await first.key()
  first.socket.terminate()
  await waitUntil(() => seen.entries.some(({ text }) => /was lost/.test(String(text))), 'it is away')
  await host.tell(sessionId, 'bob watches this session')
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  await waitUntil(() => second.notices().includes('bob watches this session'), 'it is told')
  key = await second.key()
  second.socket.terminate()
  const since = performance.now()
  await cut()
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.ok(performance.now() - since < 1000)
  t.match(seen.ends, [{ reason: 'grant-revoked', unfinished: 'ended' }])
  const third = await resume({ resume: { key, received: 0 } })
  await third.closes()
  t.match(third.seen.messages, [{ error: { code: 'RESUME_REFUSED' } }])
})

t.test('refused: the session waits on', pty, async (t) => {
  const { connect, resume, control } = await startShell(t)
  const first = await connect({ isResumable: true })
  await first.shows(/\$ /)
  const key = await first.key()
  first.socket.terminate()
  control.refusal = new BrokerError('LOGIN_REQUIRED')
  const refused = await resume({ resume: { key, received: 0 } })
  await refused.closes()
  t.match(refused.seen.messages, [{ error: { code: 'LOGIN_REQUIRED' } }])
  control.refusal = undefined
  const second = await resume({ resume: { key, received: first.seen.bytes } })
  second.type('echo on$((1+1))\r')
  await second.shows('on2')
})

t.test('a first message that has no key, or more than there was', async (t) => {
  const { resume, seen } = await startShell(t)
  for (const first of [
    {},
    { resume: 1 },
    { resume: { key: 'x' } },
    { resume: { key: 'x', received: -1 } },
    { resume: { key: 'x', received: 0 }, more: 1 },
    { resume: { key: 'x'.repeat(1000), received: 0 } },
  ]) {
    const client = await resume(first)
    await client.closes()
    t.match(client.seen.messages, [{ error: { code: 'PROTOCOL_ERROR' } }], JSON.stringify(first).slice(0, 60))
  }
  t.same(seen.resumes, [])
})

t.test('one that was not asked to wait does not', pty, async (t) => {
  const { connect, seen } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.socket.terminate()
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.notMatch(JSON.stringify(client.seen.messages), /resume/)
})

function textOf(entries: readonly Record<string, unknown>[]): string {
  return entries
    .filter(({ type }) => type === 'output')
    .map(({ text }) => text)
    .join('')
}
