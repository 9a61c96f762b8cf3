/** A stream of bytes through an instance, as the broker leads it there: one websocket each. */
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type BrokerError, sessionCutCode } from '../session.ts'
import { websocketDuplex } from '../streams/websocket-stream.ts'
import { lostBroker, readBrokerMessage, toRefusal } from './broker-messages.ts'
import { openStreamSocket, type StreamAsk } from './broker-socket.ts'
import { pingRegularly } from './relay.ts'

const normalCode = 1000

/** What the broker says before the first byte. */
export interface StreamReady {
  /** Of SSH: as whom its key signs in, and the keys of its server as known_hosts has them. */
  readonly user: string | null
  readonly hostKeys: readonly string[]
}

/** How it ended: by one of its sides; cut by the broker, with the end reason; refused or failed. */
export type StreamEnd =
  | { readonly how: 'closed' }
  | { readonly how: 'cut'; readonly reason: string }
  | { readonly how: 'failed'; readonly error: BrokerError }

export interface BrokerStream {
  /** Its bytes. Its readable side ends with the session; what is written before `ready` waits. */
  readonly stream: Duplex
  /** Never resolves where the session does not open. */
  readonly ready: Promise<StreamReady>
  /** Resolves when its websocket has closed. */
  readonly ended: Promise<StreamEnd>
  /** Ends the session. */
  leave(): void
}

/**
 * Opens one. The caller leaves it.
 * @param notice of the broker, for the person
 * @throws BrokerError with the code of the broker's refusal; STORE_UNAVAILABLE when there was no answer
 */
export async function openStream(
  ask: StreamAsk,
  signal: AbortSignal,
  notice: (text: string) => void,
): Promise<BrokerStream> {
  return await openStreamSocket(ask, signal, (socket) => adopt(socket, notice))
}

function adopt(socket: WebSocket, notice: (text: string) => void): BrokerStream {
  const ready = Promise.withResolvers<StreamReady>()
  const ended = Promise.withResolvers<StreamEnd>()
  let failure: BrokerError | undefined
  const stream = websocketDuplex(socket, {
    text: (message) => {
      const told = readBrokerMessage(message)
      if (typeof told.notice === 'string') notice(told.notice)
      if (told.error !== undefined) failure = toRefusal(told.error)
      if (told.ready !== undefined) ready.resolve(toReady(told.ready))
    },
  })
  const pings = pingRegularly(socket)
  socket.once('close', (code, reason) => {
    clearInterval(pings)
    if (code === sessionCutCode) ended.resolve({ how: 'cut', reason: String(reason) })
    else if (failure) ended.resolve({ how: 'failed', error: failure })
    else if (code === normalCode || isLeaving) ended.resolve({ how: 'closed' })
    else ended.resolve({ how: 'failed', error: lostBroker() })
  })
  let isLeaving = false
  const leave = () => {
    isLeaving = true
    if (socket.readyState === WebSocket.OPEN) socket.close(normalCode)
    stream.resume() // a paused websocket would never read the closing frame
  }
  return { stream, ready: ready.promise, ended: ended.promise, leave }
}

function toReady(told: unknown): StreamReady {
  const { user, hostKeys } = Object(told) as { user?: unknown; hostKeys?: unknown }
  const keys = Array.isArray(hostKeys) ? hostKeys.filter((one) => typeof one === 'string') : []
  return { user: typeof user === 'string' ? user : null, hostKeys: keys }
}
