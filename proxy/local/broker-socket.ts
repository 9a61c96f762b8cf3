/** The websocket from an engineer's machine to the broker: one per database client. */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { addAbortSignal } from 'node:stream'
import { WebSocket } from 'ws'
import { proxyEnvironment } from '../proxy-environment.ts'
import { BrokerError, type ErrorCode } from '../session.ts'
import { maxMessageBytes, websocketDuplex } from '../streams/websocket-stream.ts'
import { knownCode, parseObject } from './broker-messages.ts'

/** Whom to ask, and as whom. */
interface Caller {
  /** e.g. `https://access.example.com` */
  readonly server: string
  /** Goes into a header, never into the URL. */
  readonly bearer: string
}

/** What every session is asked with. */
interface SessionAsk extends Caller {
  /** Full id, or its last part where that is unique. */
  readonly resourceId: string
  /** Undefined: the only one that the user holds. */
  readonly level: string | undefined
  /** Names the client's program for the audit log; cut to 128 characters. */
  readonly tool: string
}

/** The session to open at the broker. */
export interface BrokerAsk extends SessionAsk {
  /** Of the resource, e.g. `postgres`. */
  readonly protocol: string
  /** The local port requires no password; the broker records that. */
  readonly openPort: boolean
}

/** A shell to open at the broker, or a command. */
export interface TerminalAsk extends SessionAsk {
  /** Undefined: there is no terminal, and the first message says the command. */
  readonly size: { readonly cols: number; readonly rows: number } | undefined
  /** It goes on with a session whose connection was lost; the key of it is the first message. */
  readonly isResumed?: boolean
}

/** A stream through an instance to open at the broker. */
export interface StreamAsk extends SessionAsk {
  /** `key`: base64 of an Ed25519 key, for which the SSH server of the instance is reached. */
  readonly to: { readonly host: string; readonly port: number } | { readonly key: string }
}

/** Files to copy to or from an instance. */
export interface CopySocketAsk extends SessionAsk {
  readonly direction: 'up' | 'down'
}

export interface BrokerSocket {
  readonly socket: WebSocket
  readonly stream: Duplex
}

const handshakeTimeoutMs = 30_000
const refusalTimeoutMs = 5000
const maxRefusalBytes = 16 * 1024

/**
 * Opens the websocket. The caller closes it.
 * @throws BrokerError with the code of the broker's refusal; STORE_UNAVAILABLE when there was no answer
 */
export async function openBrokerSocket(ask: BrokerAsk, signal: AbortSignal): Promise<BrokerSocket> {
  const query = ask.openPort ? { no_password: '1' } : {}
  const url = toUrl(ask, ask.protocol, query)
  return await open(ask, url, signal, (socket) => ({ socket, stream: websocketDuplex(socket) }))
}

/**
 * The same for a terminal or a command, whose messages are of two kinds.
 * @param adopt gets the websocket before its first message
 */
export async function openTerminalSocket<T>(
  ask: TerminalAsk,
  signal: AbortSignal,
  adopt: (socket: WebSocket) => T,
): Promise<T> {
  const { size, isResumed } = ask
  const how: Record<string, string> = isResumed ? { resumed: '1' } : { resumable: '1' }
  const query = size ? { cols: `${size.cols}`, rows: `${size.rows}`, ...how } : { command: '1' }
  return await open(ask, toUrl(ask, 'shell', query), signal, adopt)
}

/** The same for a stream through an instance, beside whose bytes the broker says how it fares. */
export async function openStreamSocket<T>(
  { to, ...ask }: StreamAsk,
  signal: AbortSignal,
  adopt: (socket: WebSocket) => T,
): Promise<T> {
  const url = 'key' in to ? toUrl(ask, 'ssh', to) : toUrl(ask, 'tcp', { host: to.host, port: String(to.port) })
  return await open(ask, url, signal, adopt)
}

/** The same for files, of which the first message says which. */
export async function openCopySocket<T>(
  ask: CopySocketAsk,
  signal: AbortSignal,
  adopt: (socket: WebSocket) => T,
): Promise<T> {
  return await open(ask, toUrl(ask, 'copy', { direction: ask.direction }), signal, adopt)
}

/** The same for a terminal of another session, which is only watched. */
export async function openWatchSocket<T>(
  caller: Caller,
  sessionId: string,
  signal: AbortSignal,
  adopt: (socket: WebSocket) => T,
): Promise<T> {
  const url = new URL(`/api/v1/sessions/${encodeURIComponent(sessionId)}/watch`, caller.server)
  return await open(caller, url, signal, adopt)
}

async function open<T>(caller: Caller, url: URL, signal: AbortSignal, adopt: (socket: WebSocket) => T): Promise<T> {
  signal.throwIfAborted()
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${caller.bearer}` },
    followRedirects: false, // a redirect must not carry the token elsewhere
    perMessageDeflate: false,
    handshakeTimeout: handshakeTimeoutMs,
    ...(proxyEnvironment(process.env) ? { agent: agentOf(caller) } : {}),
    maxPayload: maxMessageBytes,
  })
  const abort = () => socket.terminate()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await new Promise<T>((resolve, reject) => {
      socket.once('open', () => resolve(adopt(socket))) // in this tick: no message is missed
      socket.on('error', (error) => reject(unreachable(caller.server, error)))
      socket.once('unexpected-response', (request, response) => {
        readRefusal(response)
          .then(reject, (error) => reject(unreachable(caller.server, error)))
          .finally(() => request.destroy())
      })
    })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The default agents go by the proxy environment; left out, `ws` would use none. */
function agentOf({ server }: Caller) {
  return new URL(server).protocol === 'https:' ? https.globalAgent : http.globalAgent
}

function toUrl(ask: SessionAsk, what: string, query: Readonly<Record<string, string>>): URL {
  const url = new URL(`/api/v1/connect/${encodeURIComponent(what)}`, ask.server)
  url.search = new URLSearchParams({
    resource: ask.resourceId,
    ...(ask.level === undefined ? {} : { level: ask.level }),
    tool: ask.tool.slice(0, 128),
    ...query,
  }).toString()
  return url
}

/** A refused upgrade is an ordinary HTTP answer, usually with a problem+json body. */
async function readRefusal(response: IncomingMessage): Promise<BrokerError> {
  const status = response.statusCode ?? 0
  const problem = parseProblem(await readBody(response))
  const code = problem.code ?? (status === 401 ? 'LOGIN_REQUIRED' : status === 429 ? 'RATE_LIMITED' : 'INTERNAL')
  const error = new BrokerError(code, undefined, problem.hint ? { hint: problem.hint } : {})
  error.message = problem.detail ?? `${error.message}: the broker answered with HTTP status ${status}`
  return error
}

async function readBody(response: IncomingMessage): Promise<string> {
  addAbortSignal(AbortSignal.timeout(refusalTimeoutMs), response)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxRefusalBytes) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

interface Problem {
  readonly code: ErrorCode | undefined
  readonly detail: string | undefined
  readonly hint: string | undefined
}

/** Anything but one of our problems (e.g. the page of a proxy in between) gives an empty one. */
function parseProblem(body: string): Problem {
  const { code, detail, hint } = parseObject(body)
  return {
    code: knownCode(code),
    detail: typeof detail === 'string' ? detail : undefined,
    hint: typeof hint === 'string' ? hint : undefined,
  }
}

function unreachable(server: string, cause: Error & { code?: string }): BrokerError {
  const hint = 'Check the address, and that the daemon is running.'
  const error = new BrokerError('STORE_UNAVAILABLE', undefined, { hint, cause })
  error.message = `cannot reach the broker at ${new URL(server).origin}: ${cause.code ?? cause.message}`
  return error
}
