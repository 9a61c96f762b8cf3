/** Shells from the websocket of a terminal to a real `sh` under a real pty behind the sandbox's gateway. */
import { hash } from 'node:crypto'
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { noPty } from '../../sandbox/ssm/shell.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { isCloned } from '../relay/scripted-doorman.ts'
import { startShell } from './shell-fixture.ts'

const pty = { skip: noPty }
const textOf = (entries: readonly Record<string, unknown>[]) =>
  entries
    .filter(({ type }) => type === 'output')
    .map(({ text }) => text)
    .join('')

t.test('what is typed runs, and what is shown is on record', pty, async (t) => {
  const { connect, seen, session } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.type('echo $((6*7))x\r')
  await client.shows('42x')
  client.type('exit\r')
  t.same(await client.closes(), { code: 1000, reason: '' })
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'upstream-closed', recording: { digest: 'sealed' } }])
  t.same(seen.details, [{ os_user: 'deploy' }])
  t.match(seen.entries[0], { type: 'terminal', cols: 80, rows: 24, os_user: 'deploy' })
  t.match(textOf(seen.entries), /echo \$\(\(6\*7\)\)x\r\n42x\r\n/)
  t.same(
    seen.entries.filter(({ type }) => type === 'input'),
    [],
    'not what was typed itself',
  )
  t.match(client.notices(), ['this session is recorded'])
  t.same(client.seen.messages.at(-1), { exit: null })
  t.equal(seen.channelsEnded, 1)
  t.same(session.faults, [])
})

t.test('a line that was echoed one character at a time is on record as one', pty, async (t) => {
  const { connect, seen } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  for (const character of 'echo findme') {
    const before = client.seen.bytes
    client.type(character)
    await waitUntil(() => client.seen.bytes > before, 'it is echoed')
  }
  client.type('\r')
  await client.shows(/\nfindme/)
  const lines = seen.entries.flatMap(({ lines }) => (Array.isArray(lines) ? lines : []))
  t.ok(lines.includes('$ echo findme'), JSON.stringify(lines))
})

t.test('the size follows the window, and is on record', pty, async (t) => {
  const { connect, seen } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.say({ resize: { cols: 132, rows: 43 } })
  await waitUntil(() => seen.entries.some(({ type }) => type === 'resize'), 'it is on record')
  client.type('stty size\r')
  await client.shows('43 132')
  t.match(
    seen.entries.filter(({ type }) => type === 'resize'),
    [{ cols: 132, rows: 43 }],
  )
})

t.test('Ctrl-C interrupts what runs', pty, async (t) => {
  const { connect } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.type('trap "echo caught" INT; sh -c "echo runs\\$((1+1)); exec sleep 60"\r')
  await client.shows('runs2')
  client.type('\u0003')
  await client.shows(/\^Ccaught/)
})

t.test('what is typed is on record where the level says so, and the person is told', pty, async (t) => {
  const { connect, seen } = await startShell(t, { rules: { recordsInput: true } })
  const client = await connect()
  await client.shows(/\$ /)
  t.match(client.notices(), [/everything that you type/])
  client.type('stty -echo; read secret\r')
  await client.shows('read secret')
  client.type('hidden\r')
  const typed = () =>
    seen.entries
      .filter(({ type }) => type === 'input')
      .map(({ text }) => text)
      .join('')
  await waitUntil(() => typed().endsWith('hidden\r'), 'it is on record')
})

t.test('a cut in the middle of output ends it at once, with the reason on the screen', pty, async (t) => {
  const { connect, seen, cut, session } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.type('yes flood\r')
  await client.shows(/flood\r\nflood/)
  const since = performance.now()
  await cut()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  t.ok(performance.now() - since < 1000, `${performance.now() - since} ms`)
  t.match(client.seen.screen, /access was revoked by bob@example.com: incident 42\r\n$/)
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'grant-revoked', unfinished: 'ended', stoppedAt: Number }])
  // Behind it is the line that was cut off, unless the output ended with one.
  const last = seen.entries.findLast((entry) => (entry as { type?: string }).type !== 'end')
  t.match(last, { type: 'notice', text: /incident 42/ })
  await waitUntil(() => !session.isAttached, 'nothing is left at the gateway')
})

t.test('the service hangs up in the middle of output: the same session goes on', pty, async (t) => {
  const { connect, session, tickets } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.type('for i in $(seq 1 2000); do echo "line $i."; done\r')
  await client.shows('line 100\\.')
  session.bye()
  await client.shows('line 2000\\.')
  t.equal(tickets(), 2)
  const numbers = [...client.seen.screen.matchAll(/\nline (\d+)\./g)].map(([, n]) => Number(n))
  t.same(
    numbers,
    Array.from({ length: 2000 }, (_, i) => i + 1),
    'nothing is lost or shown twice',
  )
})

t.test('T-2: a client that shows nothing holds the terminal back', pty, async (t) => {
  const { connect } = await startShell(t)
  const client = await connect({ acks: false })
  await client.shows(/\$ /)
  client.type('yes flood\r')
  await waitUntil(() => client.seen.bytes >= 256 * 1024, 'the window is used up', 30_000)
  const before = client.seen.bytes
  await quietFor(300, 'nothing more comes')
  t.equal(client.seen.bytes, before)
  t.ok(before < 300 * 1024, `${before}`)
  client.say({ ack: before })
  await waitUntil(() => client.seen.bytes > before, 'it goes on')
})

t.test('T-3: 20 KB are pasted while one types: every byte arrives, and in order', pty, async (t) => {
  const { connect } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  const pasted = 'Grüße – 終 🎉\n'.repeat(800)
  client.type(`stty raw -echo; echo its${''} turn; head -c ${Buffer.byteLength(pasted) + 5} | sha256sum\r`)
  await client.shows(/its turn\r?\n/)
  client.type(pasted)
  client.type('typed')
  await client.shows(hash('sha256', `${pasted}typed`))
})

t.test('a recorder that is behind holds the terminal back, and one that fails ends it', pty, async (t) => {
  const { connect, control, seen } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  control.isFull = true
  client.type('echo first\r')
  await client.shows('e')
  const before = client.seen.bytes
  client.type('echo second\r')
  await quietFor(300, 'nothing more comes')
  t.equal(client.seen.bytes, before)
  control.isFull = false
  control.drain()
  await client.shows(/\nsecond/)
  control.breaks = true
  client.type('echo unseen\r')
  t.same(await client.closes(), { code: 4001, reason: 'recording-failed' })
  t.notMatch(client.seen.screen, /unseen/)
  t.match(client.seen.screen, /the recording cannot be written/)
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
})

t.test('strict: nothing is shown that is not on file', pty, async (t) => {
  const { connect, control, seen } = await startShell(t, { engine: { isRecordingStrict: true } })
  control.holds = true
  const client = await connect()
  await waitUntil(() => seen.entries.some(({ type }) => type === 'output'), 'there is something to show')
  await quietFor(200, 'it is not shown')
  t.equal(client.seen.screen, '')
  control.holds = false
  control.written()
  await client.shows(/\$ /)
})

t.test('no place in the recording: the session ends, and nothing unrecorded is shown', pty, async (t) => {
  const { connect, control } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  control.room = 0
  client.type('echo unseen\r')
  const closed = await client.closes()
  t.match(closed, { code: 4001, reason: 'recording-failed' })
  t.notMatch(client.seen.screen, /unseen/)
  t.match(client.seen.screen, /the recording is full/)
})

t.test('a budget of bytes that is used up ends it', pty, async (t) => {
  const { connect, seen } = await startShell(t, { engine: { budget: { rows: 0, bytes: 5000, ms: 0 } } })
  const client = await connect()
  await client.shows(/\$ /)
  client.type('yes flood\r')
  t.same(await client.closes(), { code: 4001, reason: 'budget-used' })
  t.match(client.seen.screen, /the session’s budget of 5000 bytes is used up/)
  t.notOk(seen.entries.length === 0)
})

t.test('idle for too long', pty, async (t) => {
  const { connect } = await startShell(t, { rules: { idleTimeoutMs: 2500 } })
  const client = await connect()
  t.same(await client.closes(), { code: 4001, reason: 'idle' })
  t.match(client.seen.screen, /the session was idle for 3 seconds/)
})

t.test('the person is told before the end', pty, async (t) => {
  const { connect, move } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  await move(30_000)
  await waitUntil(() => client.notices().length === 2, 'a notice')
  t.match(client.notices()[1], /this session ends in (1 minute|less than a minute).*sallyport extend grt_1/)
})

t.test('a client that leaves ends the session at the instance', pty, async (t) => {
  const { connect, seen, session } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.socket.close()
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'client-closed' }])
  t.equal(seen.channelsEnded, 1)
  await waitUntil(() => !session.isAttached, 'nothing is left at the gateway')
})

t.test('12.15: AWS cannot be asked to end it: the agent was told all the same', pty, async (t) => {
  const { connect, seen, cut, errors } = await startShell(t, {
    endChannel: () => Promise.reject(new BrokerError('AWS_UNAVAILABLE')),
  })
  const client = await connect()
  await client.shows(/\$ /)
  await cut()
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'grant-revoked', unfinished: 'ended' }])
  t.match(errors, [{ code: 'AWS_UNAVAILABLE' }])
})

t.test('messages that no terminal sends end it', pty, async (t) => {
  const { connect } = await startShell(t)
  const client = await connect()
  await client.shows(/\$ /)
  client.say({ resize: { cols: 0, rows: 24 } })
  t.same(await client.closes(), { code: 4001, reason: 'protocol-error' })
  t.match(client.seen.screen, /the client violated the protocol/)
})

t.test('refused: the client is told why, and nothing is asked of AWS', async (t) => {
  const { connect, control, tickets, seen } = await startShell(t)
  control.refusal = new BrokerError('GRANT_DENIED', 'no grant', { hint: 'ask for one' })
  const client = await connect()
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.match(client.seen.messages, [
    { error: { code: 'GRANT_DENIED', message: /no grant/, ...(isCloned ? {} : { hint: 'ask for one' }) } },
  ])
  t.equal(tickets(), 0)
  t.equal(seen.channelsEnded, 0)
})

t.test('cut while it opens', async (t) => {
  const { connect, control, seen } = await startShell(t)
  control.cutEarly = { reason: 'grant-revoked', text: 'access was revoked', decidedAt: Date.now() }
  const client = await connect()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  t.match(client.seen.screen, /access was revoked/)
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
})
