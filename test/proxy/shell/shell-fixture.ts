/** The engine of shells before the sandbox's gateway and agent, with a doorman that lets every client in. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { ChannelKey, ChannelKeyAsk, EngineFacts } from '../../../proxy/session.ts'
import { createShell } from '../../../proxy/shell/protocol.ts'
import type { ShellRules } from '../../../proxy/shell/rules.ts'
import type { AgentOptions, SessionSpec } from '../../sandbox/ssm/work.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'
import { openSession, target } from '../ssm/session-fixture.ts'

export interface ShellOptions {
  readonly spec?: Partial<SessionSpec>
  readonly agent?: Partial<AgentOptions>
  readonly rules?: Partial<ShellRules>
  readonly engine?: Partial<EngineFacts>
  readonly idleTimeoutMs?: number
  readonly resumeMs?: number
  /** Of KMS. */
  channelKey?(sessionId: string, ask: ChannelKeyAsk): Promise<ChannelKey>
  /** Of the broker's call of TerminateSession. */
  endChannel?(): Promise<void>
}

export async function startShell(t: Test, options: ShellOptions = {}) {
  const opened = await openSession(t, { sessionType: 'Standard_Stream', ...options.spec }, options.agent)
  const asked: (string | undefined)[] = []
  const rules: ShellRules = {
    isEncrypted: false,
    recordsInput: false,
    idleTimeoutMs: 0,
    detail: { os_user: 'deploy' },
    commandDetail: { os_user: 'deploy', document: 'Sallyport-Command' },
    ...options.rules,
  }
  const scripted = scriptedDoorman({
    kind: 'ec2-instance',
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
    engine: () => ({
      address: { host: target, port: 0 },
      serverName: target,
      ca: null,
      ...options.engine,
      rules,
    }),
    lease: () => Promise.reject(new Error('not asked here')),
    channelTicket: (_sessionId, command) => {
      asked.push(command)
      return opened.options.ticket(new AbortController().signal)
    },
    ...(options.channelKey ? { channelKey: options.channelKey } : {}),
    endChannel: options.endChannel ?? (async () => opened.session.terminate()),
  })
  const { host, errors } = scripted
  const shell = createShell({
    host,
    reach: direct,
    trust: new Trust(),
    onError: (error) => errors.push(error),
    onRefused: (error) => errors.push(error),
    now: () => Date.now(),
    ...(options.resumeMs === undefined ? {} : { resumeMs: options.resumeMs }),
  })
  const server = createServer()
  const sockets = new WebSocketServer({ server, maxPayload: 1024 * 1024 })
  sockets.on('connection', (socket, { url }) => {
    const known = { identity, resourceId: `ec2-instance/111122223333/eu-west-1/${target}`, client: origin }
    if (url === '/command') void shell.serveCommand(socket, known)
    else if (url === '/resumed') void shell.resumeTerminal(socket, known)
    else void shell.serveTerminal(socket, known, { cols: 80, rows: 24 }, url === '/resumable')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    ...opened,
    ...scripted,
    /** Commands that Session Manager was asked for, one for each websocket. */
    asked,
    connect: ({ acks = true, isResumable = false } = {}) =>
      connect(t, port, { acks, path: isResumable ? 'resumable' : '' }),
    /** @param first its first message */
    run: (first: unknown, acks = true) => connect(t, port, { acks, path: 'command', first }),
    resume: (first: unknown) => connect(t, port, { acks: false, path: 'resumed', first }),
  }
}

interface ClientOptions {
  /** False: it never says that it has shown something. */
  readonly acks: boolean
  readonly path: string
  /** Its first message. */
  readonly first?: unknown
}

/** A client as a terminal is one. */
async function connect(t: Test, port: number, { acks, path, first }: ClientOptions) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}`)
  t.teardown(() => socket.terminate())
  const seen = {
    screen: '',
    bytes: 0,
    /** Of a command, in their order. */
    stdout: [] as Buffer[],
    stderr: [] as Buffer[],
    messages: [] as Record<string, unknown>[],
    closed: undefined as { code: number; reason: string } | undefined,
  }
  let output = seen.stdout
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      const message = JSON.parse(data.toString())
      seen.messages.push(message)
      if (message.stream !== undefined) output = message.stream === 'stderr' ? seen.stderr : seen.stdout
      return
    }
    output.push(data)
    seen.screen += data
    seen.bytes += data.length
    if (acks && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: seen.bytes }))
  })
  socket.on('close', (code, reason) => {
    seen.closed = { code, reason: String(reason) }
  })
  await new Promise((resolve) => socket.once('open', resolve))
  if (first !== undefined) socket.send(JSON.stringify(first))
  return {
    socket,
    seen,
    type: (text: string) => socket.send(Buffer.from(text)),
    say: (message: unknown) => socket.send(JSON.stringify(message)),
    shows: (text: string | RegExp) =>
      waitUntil(
        () => seen.screen.search(text) >= 0,
        () => `${text} in ${JSON.stringify(seen)}`,
      ),
    /** By which another one goes on. */
    key: async () => {
      const offered = () => seen.messages.findLast(({ resume }) => resume !== undefined)?.resume
      await waitUntil(() => offered() !== undefined, 'it may be resumed')
      return (offered() as { key: string }).key
    },
    notices: () => seen.messages.flatMap(({ notice }) => (notice === undefined ? [] : [String(notice)])),
    closes: async () => {
      await waitUntil(() => seen.closed !== undefined, 'its websocket is closed')
      return seen.closed
    },
  }
}
