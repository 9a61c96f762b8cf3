import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { errorResponse } from '../../postgres/errors.ts'
import { toBrokerError } from '../../relay/words.ts'
import type { BrokerError } from '../../session.ts'
import { ClientLeft, ClientLine } from '../../streams/client-line.ts'
import type { ScramKeys } from '../../wire/postgres/scram.ts'
import { type BrokerSocket, openBrokerSocket } from '../broker-socket.ts'
import type { ClientOptions } from '../local-protocol.ts'
import { relay } from '../relay.ts'
import { type FirstMessage, readFirstMessage } from './first-message.ts'
import { askPassword } from './password.ts'
import { readRefusal } from './refusal.ts'

const cancelTimeoutMs = 10_000

/** Serves one client of the local port from its first byte on. Never rejects. */
export async function serveClient(socket: Socket, options: ClientOptions, keys: ScramKeys | null): Promise<void> {
  const clientClosed = new AbortController()
  socket.once('close', () => clientClosed.abort())
  socket.on('error', () => socket.destroy()) // 'close' follows, and ends everything
  try {
    const first = await signIn(socket, options, keys)
    if (first.kind === 'cancel') await forwardCancel(socket, first, options, clientClosed.signal)
    else await openSession(socket, first, options, clientClosed.signal)
  } catch (error) {
    if (error instanceof ClientLeft) socket.destroy()
    else if (!clientClosed.signal.aborted) refuse(socket, toBrokerError(error), options)
  }
}

/** @throws BrokerError HANDSHAKE_TIMEOUT, PROTOCOL_ERROR, TOKEN_INVALID @throws WireError @throws ClientLeft */
async function signIn(socket: Socket, options: ClientOptions, keys: ScramKeys | null): Promise<FirstMessage> {
  const line = new ClientLine(socket, options.signInTimeoutMs ?? 60_000)
  try {
    const first = await readFirstMessage(line)
    // The key in a cancel request is its password.
    if (first.kind === 'startup' && keys) await askPassword(line, keys)
    return first
  } finally {
    line.release()
  }
}

async function openSession(
  socket: Socket,
  { bytes, tool }: FirstMessage,
  options: ClientOptions,
  clientClosed: AbortSignal,
): Promise<void> {
  const broker = await dial(options, tool, clientClosed)
  if (clientClosed.aborted) return broker.socket.terminate()
  broker.stream.write(bytes)
  relay(socket, broker, { readRefusal, toWords: errorResponse }, options)
}

async function dial(options: ClientOptions, tool: string, clientClosed: AbortSignal): Promise<BrokerSocket> {
  return await openBrokerSocket(
    { ...options, protocol: 'postgres', tool, bearer: await options.bearer() },
    clientClosed,
  )
}

/** There is no answer to a cancel request: the client waits for its connection to close, which is when the broker is done. */
async function forwardCancel(
  client: Socket,
  { bytes, tool }: FirstMessage,
  options: ClientOptions,
  clientClosed: AbortSignal,
): Promise<void> {
  const { socket, stream } = await dial(options, tool, clientClosed)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  stream.on('error', () => socket.terminate()).resume()
  stream.write(bytes)
  await Promise.race([closed, delay(cancelTimeoutMs, undefined, { ref: false, signal: clientClosed }).catch(() => {})])
  socket.terminate()
  client.end().resume()
}

function refuse(socket: Socket, error: BrokerError, options: ClientOptions): void {
  options.onRefusal(error)
  socket.end(errorResponse(error))
  socket.resume() // so that the client's own end is seen
}
