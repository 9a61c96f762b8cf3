/** Single commands from the websocket of a client to a real `sh` behind the sandbox's gateway. */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import t from 'tap'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { untilInterrupted } from '../ssm/session-fixture.ts'
import { startShell } from './shell-fixture.ts'

const specOf = (command: string) => ({ sessionType: 'NonInteractiveCommands', command }) as const

t.test('its outputs are apart, on the websocket and on record, and its exit code is told', async (t) => {
  const command = 'printf out; printf err >&2; test -t 0 || printf piped; exit 3'
  const { run, seen, session, asked } = await startShell(t, { spec: specOf(command) })
  const client = await run({ command })
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.equal(String(Buffer.concat(client.seen.stdout)), 'outpiped')
  t.equal(String(Buffer.concat(client.seen.stderr)), 'err')
  t.match(client.notices(), ['this session is recorded'])
  t.same(client.seen.messages.at(-1), { exit: 3 })
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'upstream-closed' }])
  t.same(seen.details, [{ os_user: 'deploy', document: 'Sallyport-Command' }])
  t.match(seen.entries[0], { type: 'terminal', command, document: 'Sallyport-Command' })
  t.match(
    seen.entries.filter(({ stream }) => stream === 'stderr'),
    [{ type: 'output', text: 'err' }],
  )
  t.match(seen.entries.at(-1), { type: 'end', exitCode: 3 })
  t.same(asked, [command])
  t.same(session.faults, [])
})

t.test('binary output arrives byte for byte, and its reader holds it back', async (t) => {
  const random = randomBytes(2_000_000).map((byte) => (byte === 0xef ? 0 : byte)) // of U+FFFD agents send one byte
  const bytes = Buffer.concat([random, Buffer.from('end\n')])
  const file = path.join(t.testdir({ 'some bytes': bytes }), 'some bytes')
  const { run, session } = await startShell(t, { spec: specOf(`cat '${file}'`), agent: { pauseMs: 0 } })
  const client = await run({ command: 'cat' }, false)
  await waitUntil(() => client.seen.bytes >= 256 * 1024, 'the window is used up', 30_000)
  const before = client.seen.bytes
  await quietFor(200, 'nothing more comes')
  t.equal(client.seen.bytes, before)
  t.ok(before < 300 * 1024, `${before}`)
  client.socket.on('message', () => client.say({ ack: client.seen.bytes }))
  client.say({ ack: before })
  await client.closes()
  t.ok(bytes.equals(Buffer.concat(client.seen.stdout)), `${client.seen.bytes} of ${bytes.length} bytes`)
  t.same(client.seen.messages.at(-1), { exit: 0 })
  t.same(session.faults, [])
})

t.test('Ctrl-C interrupts it; other input would be dropped by the agent, and ends it', async (t) => {
  const { run } = await startShell(t, { spec: specOf(untilInterrupted) })
  const client = await run({ command: untilInterrupted })
  await client.shows('begun')
  client.type('\u0003')
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.match(client.seen.messages.at(-1), { exit: Number })

  const other = await startShell(t, { spec: specOf('sleep 60') })
  const writer = await other.run({ command: 'tee file' })
  writer.type('data')
  t.same(await writer.closes(), { code: 1000, reason: '' })
  t.match(writer.seen.messages.at(-1), { error: { code: 'UNSUPPORTED', message: /no input/, hint: /\/dev\/null/ } })
  await waitUntil(() => other.seen.ends.length === 1, 'the session ended')
  t.match(other.seen.ends, [{ reason: 'client-closed' }])
  t.equal(other.seen.channelsEnded, 1)
})

t.test('a cut is told beside the outputs, which stay as they are', async (t) => {
  const { run, cut, seen } = await startShell(t, { spec: specOf('printf begun; exec sleep 60') })
  const client = await run({ command: 'sleep' })
  await client.shows('begun')
  await cut()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  t.match(client.notices().at(-1), /access was revoked by bob@example.com: incident 42/)
  t.equal(client.seen.screen, 'begun')
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.match(seen.ends, [{ reason: 'grant-revoked', unfinished: 'ended' }])
})

t.test('an older agent gives no exit code, and that is said', async (t) => {
  const { run } = await startShell(t, { spec: specOf('echo out'), agent: { agentVersion: '3.1.1374.0' } })
  const client = await run({ command: 'echo out' })
  await client.closes()
  t.equal(client.seen.screen, 'out\n')
  t.match(client.notices().at(-1), /no exit code.*older than 3\.1\.1511/)
  t.same(client.seen.messages.at(-1), { exit: null })
})

t.test('a level without commands refuses them, and nothing is asked of AWS', async (t) => {
  const { run, tickets, seen } = await startShell(t, { spec: specOf('id'), rules: { commandDetail: null } })
  const client = await run({ command: 'id' })
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.match(client.seen.messages, [{ error: { code: 'GRANT_DENIED', message: /does not run single commands/ } }])
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.equal(tickets(), 0)
})

t.test('a command that cannot be recorded is not run', async (t) => {
  const { run, control, tickets, seen } = await startShell(t, { spec: specOf('id') })
  control.room = 0
  const client = await run({ command: 'id' })
  await client.closes()
  t.match(client.seen.messages, [{ error: { message: /the recording is full/ } }])
  await waitUntil(() => seen.ends.length === 1, 'the session ended')
  t.equal(tickets(), 0)

  const strict = await startShell(t, { spec: specOf('echo ran'), engine: { isRecordingStrict: true } })
  strict.control.holds = true
  const waiting = await strict.run({ command: 'echo ran' })
  await waitUntil(() => strict.seen.entries.length > 0, 'it is on its way to the file')
  await quietFor(100, 'nothing is asked of AWS')
  t.equal(strict.tickets(), 0)
  strict.control.holds = false
  strict.control.written()
  await waiting.shows('ran')
})

t.test('a first message that is no command opens nothing', async (t) => {
  const { run, seen } = await startShell(t, { spec: specOf('id') })
  for (const first of [
    {},
    { command: 1 },
    { command: ' ' },
    { command: 'a\0b' },
    { command: 'x'.repeat(32_769) },
    [],
  ]) {
    const client = await run(first)
    t.same(await client.closes(), { code: 1000, reason: '' })
    t.match(client.seen.messages, [{ error: { code: 'PROTOCOL_ERROR' } }])
  }
  t.same(seen.asks, [])
})
