import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { BrokerError } from '../session.ts'
import type { BrokerSocket } from './broker-socket.ts'

export interface BrokerEnd {
  /** Close code of the websocket: 1000 after an ordinary end, 4001 when the session was cut. */
  readonly code: number
  /** When it was cut, the end reason. */
  readonly reason: string
}

export interface RelayListener {
  /** The session of this client is relayed from now on. Left out: nobody asks. */
  onBegin?(client: Socket): void
  /** The session's websocket has closed. */
  onEnd(end: BrokerEnd): void
  /** The client was refused, here or by the broker; it is told the same. */
  onRefusal(error: BrokerError): void
}

/** How the protocol says that the client was refused. */
export interface RefusalWords {
  /** @returns the refusal that the broker's first bytes are; undefined: they are none; `later`: it is still to come */
  readRefusal(chunk: Buffer): BrokerError | 'later' | undefined
  toWords(error: BrokerError): Buffer
}

/** Reported when a websocket ends without a closing frame; also when we dropped it because the client had disconnected. */
const lostCode = 1006
const byClient: BrokerEnd = { code: 1000, reason: '' }

/** How long the client's last bytes may take to reach the broker. */
const flushMs = 5000

/** Shorter than the idle timeout of the usual load balancers (60 s). */
const pingIntervalMs = 30_000

/** Carries bytes both ways until one side closes, then closes the other. Each side that doesn't read holds up only its peer. */
export function relay(client: Socket, broker: BrokerSocket, words: RefusalWords, listener: RelayListener): void {
  const { socket, stream } = broker
  watchAnswer(client, stream, words, listener)
  const pings = pingRegularly(socket)
  listener.onBegin?.(client)
  let flushing: NodeJS.Timeout | undefined
  socket.once('close', (code, reason) => {
    clearInterval(pings)
    clearTimeout(flushing)
    listener.onEnd(client.destroyed && code === lostCode ? byClient : { code, reason: String(reason) })
  })
  stream.once('finish', () => socket.close(1000))
  stream.once('error', () => client.destroy())
  client.once('close', () => {
    if (!stream.writableEnded || stream.destroyed) return void stream.destroy()
    flushing = setTimeout(() => stream.destroy(), flushMs)
    stream.resume() // nothing is read any more, but the closing frame must arrive
  })
  client.pipe(stream)
  stream.pipe(client)
  // After the pipes, which pause the client when they unpipe: what it still sends is dropped, but its end must be seen.
  stream.once('close', () => client.resume())
}

/** Keeps load balancers from closing a websocket that waits. */
export function pingRegularly(socket: WebSocket): NodeJS.Timeout {
  return setInterval(() => socket.ping(), pingIntervalMs).unref()
}

/** The client reads a refusal itself; we want to know of it too. And it must not be left without any answer. */
function watchAnswer(client: Socket, stream: Duplex, words: RefusalWords, listener: RelayListener): void {
  let isAnswered = false
  const onData = (chunk: Buffer) => {
    const refusal = words.readRefusal(chunk)
    isAnswered = true
    if (refusal === 'later') return
    stream.off('data', onData)
    if (refusal) listener.onRefusal(refusal)
  }
  stream.on('data', onData)
  stream.once('end', () => {
    if (isAnswered || client.destroyed) return
    const error = unanswered()
    listener.onRefusal(error)
    client.write(words.toWords(error))
  })
}

export function unanswered(how = 'closed the connection before it answered'): BrokerError {
  const error = new BrokerError('STORE_UNAVAILABLE')
  error.message = `the broker ${how}`
  return error
}
