/** The engine of copies before the sandbox's gateway and agent, whose program is the one of the session document. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { createCopy } from '../../../proxy/copy/protocol.ts'
import type { CopyRules } from '../../../proxy/copy/rules.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { EngineFacts } from '../../../proxy/session.ts'
import { copyDocument } from '../../../src/kinds/ec2-instance/copy-document.ts'
import type { AgentOptions } from '../../sandbox/ssm/work.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'
import { openSession, target } from '../ssm/session-fixture.ts'

export interface CopyOptions {
  readonly direction: 'up' | 'down'
  /** What runs at the instance instead. */
  readonly program?: string
  readonly rules?: Partial<CopyRules>
  readonly engine?: Partial<EngineFacts>
  readonly agent?: Partial<AgentOptions>
}

export async function startCopy(t: Test, { direction, program, rules, engine, agent }: CopyOptions) {
  const command = program ?? programFor(direction)
  const opened = await openSession(t, { sessionType: 'InteractiveCommands', command }, { pauseMs: 0, ...agent })
  const scripted = scriptedDoorman({
    kind: 'ec2-instance',
    engine: () => ({
      address: { host: target, port: 0 },
      serverName: target,
      ca: null,
      ...engine,
      rules: { copy: direction, isEncrypted: false, idleTimeoutMs: 0, detail: { copy: direction }, ...rules },
    }),
    lease: () => Promise.reject(new Error('not asked here')),
    channelTicket: () => opened.options.ticket(new AbortController().signal),
    endChannel: async () => opened.session.terminate(),
  })
  const copy = createCopy({
    host: scripted.host,
    reach: direct,
    trust: new Trust(),
    onError: (error) => scripted.errors.push(error),
    onRefused: (error) => scripted.errors.push(error),
    now: () => Date.now(),
  })
  const server = createServer()
  const sockets = new WebSocketServer({ server, maxPayload: 1024 * 1024 })
  sockets.on('connection', (socket) => {
    const resourceId = `ec2-instance/111122223333/eu-west-1/${target}`
    void copy.serveSocket(socket, { identity, resourceId, client: origin, to: { copy: direction } })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { ...opened, ...scripted, connect: (first: unknown) => connect(t, port, first) }
}

/** That of the session document, with its parameters in place. */
export function programFor(direction: 'up' | 'down'): string {
  const { properties } = copyDocument({ osUser: 'deploy', kmsKey: null }) as {
    properties: { linux: { commands: string } }
  }
  return properties.linux.commands
    .replaceAll('{{ direction }}', direction)
    .replaceAll('{{ session }}', `ses_${'0'.repeat(26)}`)
}

async function connect(t: Test, port: number, first: unknown) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  t.teardown(() => socket.terminate())
  const seen = {
    chunks: [] as Buffer[],
    bytes: 0,
    messages: [] as Record<string, unknown>[],
    closed: undefined as { code: number; reason: string } | undefined,
  }
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return void seen.messages.push(JSON.parse(data.toString()))
    seen.chunks.push(data)
    seen.bytes += data.length
  })
  socket.on('close', (code, reason) => {
    seen.closed = { code, reason: String(reason) }
  })
  await once(socket, 'open')
  const say = (message: unknown) => socket.send(JSON.stringify(message))
  say(first)
  return {
    socket,
    seen,
    say,
    send: (bytes: Buffer | string) => socket.send(Buffer.from(bytes)),
    /** Says of all that has come that it was taken, and of what comes. */
    takes: () => {
      say({ ack: seen.bytes })
      socket.on('message', () => socket.readyState === WebSocket.OPEN && say({ ack: seen.bytes }))
    },
    hears: (text: string | RegExp) =>
      waitUntil(
        () => JSON.stringify(seen.messages).search(text) >= 0,
        () => `${text} in ${JSON.stringify(seen)}`,
      ),
    closes: async () => {
      await waitUntil(
        () => seen.closed !== undefined,
        () => `its websocket is closed ${JSON.stringify(seen.messages)}`,
        20_000,
      )
      return seen.closed
    },
  }
}
