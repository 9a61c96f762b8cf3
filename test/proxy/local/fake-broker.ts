/**
 * A stand-in for the daemon: HTTP, websockets and the least of a PostgreSQL backend, its bytes written by hand so that
 * it shares nothing with what it checks. It understands these statements:
 * `row TEXT` gives one row; `big N` N rows of 1 KiB; `wait` runs until it is cancelled; `cut REASON` is cut in mid-session.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { type MysqlLogin, serveMysql } from './mysql/fake-mysql.ts'

export interface FakeBroker {
  readonly url: string
  /** Query of each websocket asked for, and the Authorization it came with. */
  readonly asked: { query: Record<string, string>; authorization: string | undefined }[]
  /** Logins of MySQL clients that it let in. */
  readonly logins: MysqlLogin[]
  /** Startup parameters of each session. */
  readonly startups: Record<string, string>[]
  /** Cancel requests, as they came. */
  readonly cancels: Buffer[]
  /** Websockets that are open now. */
  readonly sockets: Set<WebSocket>
  /** Cancels what `wait` waits for, by pid. */
  readonly waiting: Map<number, () => void>
  /** Bytes handed to the websocket that is being filled by `big`. */
  written: number
  /** Whether it closes the websocket when the client says Terminate. */
  closesItself: boolean
  /** Closes a MySQL client's websocket in place of a greeting. */
  hangsUp: boolean
  /** How many said Terminate, or COM_QUIT. */
  terminates: number
  /** Answers an upgrade with this instead. */
  refuse: { status: number; body: string; headers?: Record<string, string> } | null
  /** Answers a startup message with this refusal instead of a session. */
  deny: { sqlstate: string; code: string; message: string; hint?: string } | null
  /** JSON answers by `METHOD /path`. */
  readonly routes: Map<string, (body: unknown) => { status: number; body: unknown }>
}

const int32 = (n: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}
const int16 = (n: number) => int32(n).subarray(2)
const cstring = (text: string) => Buffer.from(`${text}\0`)
/** Type byte, length that counts itself, body. */
const message = (type: string, ...body: Buffer[]) => {
  const bytes = Buffer.concat(body)
  return Buffer.concat([Buffer.from(type), int32(bytes.length + 4), bytes])
}
const readyForQuery = message('Z', Buffer.from('I'))
const errorResponse = (severity: string, code: string, text: string, ...more: string[]) =>
  message('E', ...[`S${severity}`, `V${severity}`, `C${code}`, `M${text}`, ...more].map(cstring), Buffer.from([0]))
/** One text column named `c`. */
const rowDescription = message(
  'T',
  int16(1),
  cstring('c'),
  int32(0),
  int16(0),
  int32(25),
  int16(-1),
  int32(-1),
  int16(0),
)
const dataRow = (text: string) => message('D', int16(1), int32(Buffer.byteLength(text)), Buffer.from(text))
const commandComplete = (tag: string) => message('C', cstring(tag))
const key = Buffer.from([0x11, 0x22, 0x33, 0x44])

export async function startFakeBroker(t: Test): Promise<FakeBroker> {
  const broker: FakeBroker = {
    url: '',
    asked: [],
    logins: [],
    startups: [],
    cancels: [],
    sockets: new Set(),
    waiting: new Map(),
    written: 0,
    closesItself: true,
    hangsUp: false,
    terminates: 0,
    refuse: null,
    deny: null,
    routes: new Map(),
  }
  const server = createServer((request, response) => void answer(broker, request, response))
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '', 'http://x')
    const serveClient = servers[url.pathname]
    if (!serveClient) return void socket.destroy()
    broker.asked.push({ query: Object.fromEntries(url.searchParams), authorization: request.headers.authorization })
    if (broker.refuse) return refuse(broker.refuse, socket)
    websockets.handleUpgrade(request, socket, head, (ws) => serveClient(broker, ws))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    for (const ws of broker.sockets) ws.terminate()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return Object.assign(broker, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

async function answer(broker: FakeBroker, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = ''
  for await (const chunk of request) text += chunk
  const [path] = (request.url ?? '').split('?')
  const route = broker.routes.get(`${request.method} ${path}`)
  const { status, body } = route?.(text === '' ? undefined : JSON.parse(text)) ?? { status: 404, body: {} }
  response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))
}

function refuse(how: { status: number; body: string; headers?: Record<string, string> }, socket: Duplex): void {
  const headers = { 'content-length': String(Buffer.byteLength(how.body)), connection: 'close', ...how.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.on('error', () => {}) // the other side may hang up in mid-answer
  socket.end(`HTTP/1.1 ${how.status} Refused\r\n${lines.join('')}\r\n${how.body}`)
}

const servers: Readonly<Record<string, (broker: FakeBroker, ws: WebSocket) => void>> = {
  '/api/v1/connect/postgres': serve,
  '/api/v1/connect/mysql': serveMysql,
}

function serve(broker: FakeBroker, ws: WebSocket): void {
  const pid = broker.startups.length + 1000
  let pending = Buffer.alloc(0)
  let started = false
  broker.sockets.add(ws)
  ws.on('close', () => broker.sockets.delete(ws))
  ws.on('error', () => {})
  ws.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) throw new Error('a text message came')
    pending = Buffer.concat([pending, data])
    if (!started) {
      if (pending.length < 4 || pending.length < pending.readInt32BE(0)) return
      const first = pending.subarray(0, pending.readInt32BE(0))
      pending = pending.subarray(first.length)
      if (first.readInt32BE(4) === 80877102) {
        broker.cancels.push(first)
        if (first.subarray(12).equals(key)) broker.waiting.get(first.readInt32BE(8))?.()
        ws.close(1000)
        return
      }
      started = true
      const words = first.subarray(8).toString().split('\0')
      broker.startups.push(
        Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 && word ? [[word, words[i + 1] ?? '']] : []))),
      )
      if (broker.deny) {
        const { sqlstate, code, message: text, hint } = broker.deny
        ws.send(errorResponse('FATAL', sqlstate, text, `DSallyport error ${code}.`, ...(hint ? [`H${hint}`] : [])))
        ws.close(1000)
        return
      }
      ws.send(
        Buffer.concat([
          message('R', int32(0)),
          message('S', cstring('server_version'), cstring('16.0')),
          message('S', cstring('client_encoding'), cstring('UTF8')),
          message('S', cstring('standard_conforming_strings'), cstring('on')),
          message('K', int32(pid), key),
          readyForQuery,
        ]),
      )
    }
    for (let length = frameLength(pending); length > 0; length = frameLength(pending)) {
      const frame = pending.subarray(0, length)
      pending = pending.subarray(length)
      if (frame[0] === 0x58) terminated(broker, ws) // Terminate
      if (frame[0] === 0x51) void query(broker, ws, pid, frame.subarray(5, -1).toString()) // Query
    }
  })
}

function terminated(broker: FakeBroker, ws: WebSocket): void {
  broker.terminates++
  if (broker.closesItself) ws.close(1000)
}

/** 0: not whole yet. */
function frameLength(bytes: Buffer): number {
  if (bytes.length < 5) return 0
  const length = 1 + bytes.readInt32BE(1)
  return bytes.length < length ? 0 : length
}

async function query(broker: FakeBroker, ws: WebSocket, pid: number, text: string): Promise<void> {
  const [, verb, rest = ''] = /^(\w+) ?(.*?);?$/.exec(text) ?? []
  if (verb === 'row') {
    ws.send(Buffer.concat([rowDescription, dataRow(rest), commandComplete('SELECT 1'), readyForQuery]))
  } else if (verb === 'big') {
    ws.send(rowDescription)
    const row = dataRow('x'.repeat(1013)) // 1024 bytes on the wire
    for (let i = 0; i < Number(rest); i++) {
      broker.written += row.length
      if (ws.readyState !== ws.OPEN) return
      await new Promise<void>((resolve) => ws.send(row, () => resolve()))
    }
    ws.send(Buffer.concat([commandComplete(`SELECT ${rest}`), readyForQuery]))
  } else if (verb === 'wait') {
    broker.waiting.set(pid, () =>
      ws.send(
        Buffer.concat([errorResponse('ERROR', '57014', 'canceling statement due to user request'), readyForQuery]),
      ),
    )
  } else if (verb === 'cut') {
    ws.send(errorResponse('FATAL', '57P01', 'access was revoked by bob@example.com'))
    ws.close(4001, rest)
  } else if (verb === 'vanish') {
    ws.terminate()
  } else {
    ws.send(Buffer.concat([errorResponse('ERROR', '42601', `no such statement: ${text}`), readyForQuery]))
  }
}
