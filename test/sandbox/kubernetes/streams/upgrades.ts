import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream } from 'ws'
import { failure } from '../answers.ts'
import type { RunningPod } from '../pods.ts'
import { type AskedStreams, type CommandStreams, streamsOverSpdy, streamsOverWebSocket } from './command-streams.ts'
import type { StreamFaults } from './faults.ts'
import { forwardOverSpdy, forwardOverWebSocket } from './port-forward.ts'
import type { StreamRecord } from './record.ts'
import { attachToMain, runCommand } from './run-command.ts'
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts'
import { acceptWebSocket } from './web-sockets.ts'

/**
 * Upgrades of `pods/exec`, `pods/attach` and `pods/portforward`, as API servers of 1.31 and later answer them with the kubelet behind them.
 * Followed: staging/src/k8s.io/apimachinery `httpstream`, `wsstream`, kubelet's `remotecommand` and `portforward`, apiserver's
 * `StreamTranslatorHandler` and `TunnelingHandler`. Left out: protocols before v4, whose errors are text; idle time-outs.
 */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly query: URLSearchParams
  readonly pod: RunningPod
  readonly record: StreamRecord
  readonly faults: StreamFaults
}

const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io'
const channelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']
const webSocketProtocols = {
  exec: ['v5.channel.k8s.io', ...channelProtocols],
  attach: ['v5.channel.k8s.io', ...channelProtocols],
  portforward: [tunnelProtocol, ...channelProtocols],
}
const spdyProtocols = {
  exec: ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
  attach: ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
  portforward: ['portforward.k8s.io'],
}

/** Resolves when it is over. */
export async function serveUpgrade(upgrade: Upgrade): Promise<void> {
  const { request, socket, faults, record } = upgrade
  if (faults.isSilent) return
  if (faults.answer) {
    const { status, headers, body } = faults.answer
    refuse(socket, status, body ?? '', headers, true)
    socket.on('data', (data: Buffer) => {
      record.trailingBytes += data.length
    })
    return
  }
  const length = request.headers['content-length'] ?? '0'
  if (length !== '0' || request.headers['transfer-encoding'] !== undefined) {
    record.violation = 'an upgrade with a body'
    refuse(socket, 400, 'an upgrade with a body')
  } else if (/^websocket$/i.test(request.headers.upgrade ?? '')) await serveWebSocket(upgrade)
  else await serveSpdy(upgrade)
}

async function serveWebSocket(upgrade: Upgrade): Promise<void> {
  const { request, socket, head, query, pod, record, faults } = upgrade
  const { headers } = request
  const offered = listOf(headers['sec-websocket-protocol'])
  const protocol = offered.find((one) => webSocketProtocols[record.kind].includes(one))
  const ports = query
    .getAll('ports')
    .flatMap((value) => value.split(','))
    .map(Number)
  const areNoPorts = ports.length === 0 || !ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)
  if (faults.webSocket !== 0) return refuse(socket, faults.webSocket, '')
  if (request.method !== 'GET') return refuse(socket, 405, 'bad method')
  if (headers['sec-websocket-version'] !== '13') return refuse(socket, 400, 'missing or bad WebSocket Version')
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? ''))
    return refuse(socket, 400, 'mismatch challenge/response')
  if (protocol === undefined) return refuse(socket, 403, '')
  if (record.kind === 'portforward' && protocol !== tunnelProtocol && areNoPorts)
    return refuse(socket, 400, 'query parameter "port" is required')
  const problem = record.kind === 'portforward' ? null : problemOf(query)
  if (problem !== null) return refuse(socket, 400, problem)

  const accepted = await acceptWebSocket(request, socket, head, protocol, faults)
  accept(record, protocol === tunnelProtocol ? 'tunnel' : 'webSocket', protocol)
  if (faults.reading !== null) {
    accepted.socket.pause()
    void faults.reading.then(() => accepted.socket.resume())
  }
  if (protocol === tunnelProtocol) {
    accepted.socket.on('message', (_data, isBinary) => {
      if (!isBinary) record.violation ??= 'a text message in a tunnel'
    })
    const bytes = createWebSocketStream(accepted.socket)
    await forwardOverSpdy((onStream) => new SpdyConnection(bytes, Buffer.alloc(0), onStream), pod, faults, record)
  } else if (record.kind === 'portforward') await forwardOverWebSocket(accepted, ports, pod, faults, record)
  else await serveCommand(upgrade, streamsOverWebSocket(accepted, askedOf(query), faults))
  record.isOpen = false
}

async function serveSpdy(upgrade: Upgrade): Promise<void> {
  const { request, socket, head, query, pod, record, faults } = upgrade
  const offered = listOf(request.headers['x-stream-protocol-version'])
  const known = spdyProtocols[record.kind]
  const protocol = offered.find((one) => known.includes(one))
  const prefix = 'unable to upgrade: '
  if (faults.spdy !== 0) return refuse(socket, faults.spdy, '')
  if (!(request.headers.upgrade ?? '').toLowerCase().includes('spdy/3.1'))
    return refuse(socket, 400, `${prefix}missing upgrade headers in request`)
  if (offered.length === 0) return refuse(socket, 400, `${prefix}X-Stream-Protocol-Version is required`)
  if (protocol === undefined) {
    const text = `${prefix}unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`
    return refuse(socket, 403, text, { 'X-Accepted-Stream-Protocol-Versions': known.join(', ') })
  }
  const problem = record.kind === 'portforward' ? null : problemOf(query)
  if (problem !== null) return refuse(socket, 400, problem)

  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1']
  lines.push(`X-Stream-Protocol-Version: ${faults.protocol ?? protocol}`)
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  accept(record, 'spdy', protocol)
  await faults.reading
  const open = (onStream: (stream: SpdyStream) => void) => {
    const connection = new SpdyConnection(socket, head, onStream)
    void connection.closed.then(() => {
      record.violation ??= connection.violation
    })
    return connection
  }
  if (record.kind === 'portforward') await forwardOverSpdy(open, pod, faults, record)
  else await serveCommand(upgrade, await streamsOverSpdy(open, askedOf(query), faults))
  record.isOpen = false
}

async function serveCommand({ pod, record }: Upgrade, streams: CommandStreams | null): Promise<void> {
  if (!streams) return
  void streams.closed.then(() => {
    record.isOpen = false
  })
  await (record.kind === 'exec' ? runCommand : attachToMain)(pod, streams, record)
  await streams.closed
}

function accept(record: StreamRecord, transport: StreamRecord['transport'], protocol: string): void {
  record.transport = transport
  record.protocol = protocol
  record.isOpen = true
}

function askedOf(query: URLSearchParams): AskedStreams {
  const asks = (name: string) => /^(?:true|1|t)$/i.test(query.get(name) ?? '')
  return { stdin: asks('stdin'), stdout: asks('stdout'), stderr: asks('stderr'), tty: asks('tty') }
}

function problemOf(query: URLSearchParams): string | null {
  const { stdin, stdout, stderr } = askedOf(query)
  return stdin || stdout || stderr ? null : 'you must specify at least 1 of stdin, stdout, stderr'
}

function listOf(header: string | string[] | undefined): string[] {
  return (header ?? '')
    .toString()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

/** @param keep the connection, as a server does that takes another request on it */
export function refuse(
  socket: Duplex,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  keep = false,
): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
  for (const [name, value] of Object.entries({ 'Content-Type': 'text/plain; charset=utf-8', ...headers }))
    lines.push(`${name}: ${value}`)
  lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  if (!keep) lines.push('Connection: close')
  socket.on('error', () => {}) // the client is gone
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
  if (!keep) socket.end()
}

/** With a `Status`, as the API server itself refuses. */
export function refuseWithStatus(socket: Duplex, code: number, reason: string, message: string): void {
  refuse(socket, code, JSON.stringify(failure(code, reason, message)), { 'Content-Type': 'application/json' })
}
