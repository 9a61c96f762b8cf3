import type { Socket } from 'node:net'
import { errorResponse } from '../postgres/errors.ts'
import { BrokerError } from '../session.ts'
import type { BrokerSocket } from './broker-socket.ts'

export interface BrokerEnd {
  /** Close code of the websocket: 1000 after an ordinary end, {@link sessionCutCode} when the session was cut. */
  readonly code: number
  /** When it was cut, the end reason. */
  readonly reason: string
}

/** Close code with which the broker says that it cut the session. */
export const sessionCutCode = 4001

/** Shorter than the idle timeout of the usual load balancers (60 s). */
const pingIntervalMs = 30_000

/** Carries bytes both ways until one side closes, then closes the other. Each side that doesn't read holds up only its peer. */
export function relay(client: Socket, { socket, stream }: BrokerSocket, onEnd: (end: BrokerEnd) => void): void {
  let answered = false
  stream.once('data', () => {
    answered = true
  })
  const pings = setInterval(() => socket.ping(), pingIntervalMs).unref()
  socket.once('close', (code, reason) => {
    clearInterval(pings)
    onEnd({ code, reason: String(reason) })
  })
  stream.once('finish', () => socket.close(1000))
  stream.once('error', () => client.destroy())
  stream.once('end', () => {
    if (!answered) client.write(errorResponse(unanswered()))
  })
  client.once('close', () => stream.destroy())
  client.pipe(stream)
  stream.pipe(client)
  // After the pipes, which pause the client when they let go: what it still sends goes nowhere, but its end must be seen.
  stream.once('close', () => client.resume())
}

function unanswered(): BrokerError {
  const error = new BrokerError('STORE_UNAVAILABLE')
  error.message = 'the broker closed the connection before it answered'
  return error
}
