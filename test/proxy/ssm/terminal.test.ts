/** Shells and commands against the sandbox's agent, which runs a real `sh` under a real pty. */
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { Terminal, type TerminalSize } from '../../../proxy/ssm/terminal.ts'
import { noPty } from '../../sandbox/ssm/shell.ts'
import type { SessionSpec } from '../../sandbox/ssm/work.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { dataMessage, serviceMessage, startHostileGateway } from './hostile-gateway.ts'
import { openSession, untilInterrupted } from './session-fixture.ts'

async function openTerminal(t: Test, spec: Partial<SessionSpec>, size?: TerminalSize) {
  const opened = await openSession(t, { sessionType: 'Standard_Stream', ...spec })
  const away: boolean[] = []
  const notices: string[] = []
  const terminal = new Terminal(opened.options, size, {
    away: (isAway) => void away.push(isAway),
    notice: (text) => void notices.push(text),
  })
  t.teardown(() => terminal.stream.destroy())
  let shown = ''
  terminal.stream.on('data', (data) => {
    shown += data
  })
  let errors = ''
  terminal.stderr.on('data', (data) => {
    errors += data
  })
  const shows = (text: string | RegExp) =>
    waitUntil(
      () => shown.search(text) >= 0,
      () => `${text} in ${JSON.stringify(shown)}`,
    )
  return { ...opened, terminal, away, notices, shows, shown: () => shown, errors: () => errors }
}

const pty = { skip: noPty }

t.test('12.3: a shell begins without a handshake, and echoes what is typed', pty, async (t) => {
  const { terminal, shows, session } = await openTerminal(t, {})
  await shows(/\$ /)
  terminal.stream.write('echo $((6*7))x\r')
  await shows('42x')
  t.same(session.faults, [])
})

t.test('S-6: the size at the start, without any resize', pty, async (t) => {
  const { terminal, shows, session } = await openTerminal(t, {}, { cols: 132, rows: 43 })
  await shows(/\$ /)
  terminal.stream.write('stty size\r')
  await shows('43 132')
  terminal.resize({ cols: 100, rows: 30 })
  terminal.stream.write('stty size\r')
  await shows('30 100')
  t.same(session.faults, [])
})

t.test('of many sizes the agent is told the last, once it is there again', async (t) => {
  const sizes: string[] = []
  let gateway: WebSocket | undefined
  const { ticket } = await startHostileGateway(t, (socket) => {
    gateway = socket
    socket.on('message', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      const [size] = /\{"cols":.*?\}/.exec(text) ?? []
      if (size !== undefined) sizes.push(size)
    })
    socket.send(dataMessage(0, 1, '$'))
  })
  const away: boolean[] = []
  const terminal = new Terminal({ ticket }, { cols: 80, rows: 24 }, { away: (isAway) => away.push(isAway) })
  t.teardown(() => terminal.stream.destroy())
  await waitUntil(() => sizes.length === 1, 'the first is told')
  gateway?.send(serviceMessage('pause_publication'))
  await waitUntil(() => away.length === 1, 'it is away')
  for (let cols = 81; cols <= 300; cols += 1) terminal.resize({ cols, rows: 24 })
  gateway?.send(serviceMessage('start_publication'))
  await waitUntil(() => sizes.includes('{"cols":300,"rows":24}'), 'the last is told')
  t.same([...new Set(sizes)], ['{"cols":80,"rows":24}', '{"cols":300,"rows":24}'])
})

t.test('S-7: ^C reaches the remote pty only, and the session lives', pty, async (t) => {
  const { terminal, shows, session } = await openTerminal(t, {})
  await shows(/\$ /)
  terminal.stream.write('sleep 99; echo "end $?"\r')
  await shows('sleep 99')
  terminal.stream.write('\x03')
  await shows(/\^C[\s\S]*\$ /) // else what is typed may be thrown away with the line that it interrupts
  terminal.stream.write('echo al""ive\r')
  await shows(/alive\r/)
  t.notOk(terminal.stream.destroyed)
  t.same(session.faults, [])
})

t.test('S-8: an instance that is terminated ends the session in bounded time', pty, async (t) => {
  const { terminal, shows, session } = await openTerminal(t, {})
  await shows(/\$ /)
  session.terminate('the instance was terminated')
  t.same(await terminal.ended, { reason: 'closed', text: 'the instance was terminated' })
  await waitUntil(() => terminal.stream.destroyed, 'the stream has ended')
})

t.test('S-8: so does one whose agent and network are gone, and that never resumes', pty, async (t) => {
  const { terminal, shows, session } = await openTerminal(t, {})
  await shows(/\$ /)
  session.stop()
  t.same(await terminal.ended, { reason: 'closed', text: '' }, 'ResumeSession gives no token')
})

t.test('S-5: what is typed while publication is paused is sent once, after the start', pty, async (t) => {
  const { terminal, shows, shown, session, away } = await openTerminal(t, {})
  await shows(/\$ /)
  await waitUntil(() => session.agent.link.waiting === 0, 'the agent knows that its prompt has arrived')
  session.publication('pause_publication')
  await waitUntil(() => away.length === 1, 'the person is told')
  const { passed } = session.up.counts
  terminal.stream.write('echo on""ce\r')
  await quietFor(300, 'nothing is sent while publication is paused, and nothing again')
  t.equal(session.up.counts.passed, passed)
  session.publication('start_publication')
  await shows(/once\r/)
  t.same(away, [true, false])
  t.equal(shown().split('echo on').length, 2, 'typed once')
  t.same(session.faults, [])
})

t.test('12.12: a command: its exit code, and what it writes to stderr apart', async (t) => {
  const command = 'echo out; echo err >&2; exit 3'
  const { terminal, shown, errors, session } = await openTerminal(t, { sessionType: 'NonInteractiveCommands', command })
  t.same(await terminal.ended, { reason: 'closed', text: '' })
  await waitUntil(() => terminal.stream.destroyed, 'the stream has ended')
  t.equal(terminal.exitCode, 3)
  t.equal(shown(), 'out\n')
  t.equal(errors(), 'err\n')
  t.same(session.faults, [])
})

t.test('^C interrupts a command', async (t) => {
  const { terminal, shows } = await openTerminal(t, {
    sessionType: 'NonInteractiveCommands',
    command: untilInterrupted,
  })
  await shows('begun')
  terminal.stream.write('\x03')
  t.match(await terminal.ended, { reason: 'closed' })
})
