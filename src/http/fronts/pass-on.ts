/** Requests that a front does not carry itself go to the process that decides, each by itself, over its Unix socket. */
import { Agent, type IncomingMessage, type RequestOptions, request, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { errors } from '../../../proxy/session.ts'
import { frontHeaders } from '../../identity/route.ts'

export interface PassOnDeps {
  /** Unix socket of the process that decides. */
  readonly path: string
  readonly secret: string
  /** Behind the balancers that are trusted to say so. */
  addressOf(incoming: IncomingMessage): string
  /** The client of this request is known. */
  onSignedIn(incoming: IncomingMessage): void
  readonly isTls: boolean
}

/** What it is asked instead of a websocket that the front opens itself. */
export type AskedWebsocket =
  | { readonly isAccepted: true; readonly body: unknown }
  /** To be sent as it is. */
  | { readonly isAccepted: false; readonly answer: Buffer }

export interface PassOn {
  request(incoming: IncomingMessage, response: ServerResponse): void
  /** A websocket whose other end is there. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void
  /** May this websocket be opened here, and for what? Never rejects. */
  ask(incoming: IncomingMessage): Promise<AskedWebsocket>
}

/** Ends with the connection (RFC 9110, section 7.6.1), and what only proxies say. Each is dropped both ways. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'upgrade',
  'expect',
]
const proxies = /^(forwarded$|x-forwarded-|x-sallyport-)/
/** Of one answer to a websocket that is not opened. */
const longestAnswer = 64 * 1024
/** Connections to the process that decides which are kept. */
const maxFreeSockets = 32

export function createPassOn({ path, secret, addressOf, onSignedIn, isTls }: PassOnDeps): PassOn {
  const agent = new Agent({ keepAlive: true, maxFreeSockets, scheduling: 'lifo' })
  const options = (incoming: IncomingMessage, more: readonly string[]): RequestOptions => ({
    socketPath: path,
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    setHost: false,
    headers: [
      ...passedOn(incoming.rawHeaders, incoming.headers.connection),
      ...['x-forwarded-for', addressOf(incoming), 'x-forwarded-proto', isTls ? 'https' : 'http'],
      ...[frontHeaders.secret, secret, ...more],
    ] as unknown as RequestOptions['headers'] & object,
  })
  const known = (incoming: IncomingMessage, answer: IncomingMessage) => {
    if (answer.headers[frontHeaders.signedIn] !== undefined) onSignedIn(incoming)
  }
  return {
    request: (incoming, response) => {
      // Without either Node would announce chunks, which Fastify takes for a body.
      const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers
      const hasBody = encoding !== undefined || (length !== undefined && length !== '0')
      const bodyless = length === undefined && encoding === undefined ? ['content-length', '0'] : []
      const isBare = /^(GET|HEAD|OPTIONS)$/.test(incoming.method ?? 'GET')
      const upstream = request({ ...options(incoming, isBare ? [] : bodyless), agent })
      upstream.on('response', (answer) => {
        known(incoming, answer)
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answerHeaders(answer))
        pipeline(answer, response, () => {})
      })
      upstream.on('error', () => unavailable(response))
      response.once('close', () => upstream.destroy())
      if (hasBody) pipeline(incoming, upstream, () => {})
      else {
        incoming.resume()
        upstream.end()
      }
    },
    upgrade: (incoming, socket, head) => {
      const { upgrade = '', connection = '' } = incoming.headers
      const upstream = request({ ...options(incoming, ['connection', connection, 'upgrade', upgrade]), agent: false })
      socket.once('close', () => upstream.destroy())
      upstream.on('upgrade', (answer, other, first) => {
        known(incoming, answer)
        other.on('error', () => {})
        socket.write(headOf(answer, ['connection', 'Upgrade', 'upgrade', answer.headers.upgrade ?? upgrade]))
        if (first.length > 0) socket.write(first)
        if (head.length > 0) other.write(head)
        socket.pipe(other).pipe(socket)
        socket.once('close', () => other.destroy())
        other.once('close', () => socket.destroy())
      })
      upstream.on('response', (answer) => {
        known(incoming, answer)
        void whole(answer).then(
          (bytes) => socket.end(bytes),
          () => socket.destroy(),
        )
      })
      upstream.on('error', () => socket.end(unavailableAnswer()))
      upstream.end()
    },
    ask: (incoming) =>
      new Promise((resolve) => {
        const more = ['upgrade', incoming.headers.upgrade ?? 'websocket', frontHeaders.accept, '1']
        const upstream = request({ ...options(incoming, more), agent })
        upstream.on('response', (answer) => {
          known(incoming, answer)
          const accepted = answer.statusCode === 200
          const read = accepted
            ? bodyOf(answer).then((body): AskedWebsocket => ({ isAccepted: true, body: JSON.parse(body.toString()) }))
            : whole(answer).then((bytes): AskedWebsocket => ({ isAccepted: false, answer: bytes }))
          read.then(resolve, () => resolve({ isAccepted: false, answer: unavailableAnswer() }))
        })
        upstream.on('error', () => resolve({ isAccepted: false, answer: unavailableAnswer() }))
        upstream.end()
      }),
  }
}

/** @param raw names and values in turn */
function passedOn(raw: readonly string[], connection = ''): string[] {
  const named = connection.split(',').map((name) => name.trim().toLowerCase())
  const kept: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]]
    const lower = name.toLowerCase()
    if (hopByHop.includes(lower) || proxies.test(lower) || (named.includes(lower) && lower !== 'host')) continue
    kept.push(name, value)
  }
  return kept
}

function answerHeaders({ rawHeaders, headers }: IncomingMessage): string[] {
  const kept = passedOn(rawHeaders, headers.connection)
  // A daemon that stops says so to each client.
  return /\bclose\b/i.test(headers.connection ?? '') ? [...kept, 'connection', 'close'] : kept
}

function headOf({ statusCode = 502, statusMessage, rawHeaders, headers }: IncomingMessage, more: readonly string[]) {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage || (STATUS_CODES[statusCode] ?? '')}`]
  const all = [...passedOn(rawHeaders, headers.connection), ...more]
  for (let i = 0; i + 1 < all.length; i += 2) lines.push(`${all[i]}: ${all[i + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The answer to a websocket that is not opened, after which its connection closes. */
async function whole(answer: IncomingMessage): Promise<Buffer> {
  const body = await bodyOf(answer)
  const raw = answer.rawHeaders.filter(
    (_, i, all) => !/^(transfer-encoding|content-length)$/i.test(all[i - (i % 2)] ?? ''),
  )
  const head = headOf(
    { ...answer, statusCode: answer.statusCode, rawHeaders: raw, headers: answer.headers } as IncomingMessage,
    [...['content-length', String(body.length), 'connection', 'close']],
  )
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > longestAnswer) throw new Error('an answer that is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const problem = JSON.stringify({
  type: 'about:blank',
  title: errors.STORE_UNAVAILABLE.text,
  status: 503,
  detail: 'the process that decides does not answer',
  code: 'STORE_UNAVAILABLE',
})

function unavailable(response: ServerResponse): void {
  if (response.headersSent) response.destroy()
  else {
    const headers = {
      'content-type': 'application/problem+json',
      'content-length': problem.length,
      connection: 'close',
    }
    response.writeHead(503, headers).end(problem)
  }
}

function unavailableAnswer(): Buffer {
  const head = [
    'HTTP/1.1 503 Service Unavailable',
    'content-type: application/problem+json',
    `content-length: ${problem.length}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n${problem}`)
}
