/**
 * Serves MySQL clients of the local port (MySQL documentation, "Connection Phase"). The server speaks first, and its greeting
 * names the thread that a later KILL means; so the broker is asked for it before anything is known of the client. The broker opens
 * no session before it has the login, which is passed on once the client has shown the password. There is no TLS here: the
 * port is on loopback, and the way to the broker is the websocket's.
 */
import type { Socket } from 'node:net'
import { errorReply } from '../../mysql/errors.ts'
import { PacketLine } from '../../mysql/sign-in/packet-line.ts'
import { toBrokerError } from '../../relay/words.ts'
import type { BrokerError } from '../../session.ts'
import { ClientLeft, ClientLine } from '../../streams/client-line.ts'
import { encodeError, firstByte } from '../../wire/mysql/encode.ts'
import { encodePacket } from '../../wire/mysql/packets.ts'
import { type BrokerSocket, openBrokerSocket } from '../broker-socket.ts'
import type { ClientOptions } from '../local-protocol.ts'
import { type RefusalWords, relay } from '../relay.ts'
import type { Verifier } from './password.ts'
import { readRefusal } from './refusal.ts'
import { greetToRefuse, passSignIn } from './sign-in.ts'

/** Names the client until its login does. */
const unnamedTool = 'unnamed'

/** Serves one client of the local port from its first byte on. Never rejects. */
export async function serveClient(socket: Socket, options: ClientOptions, verifier: Verifier | null): Promise<void> {
  const clientClosed = new AbortController()
  socket.once('close', () => clientClosed.abort())
  socket.on('error', () => socket.destroy()) // 'close' follows, and ends everything
  const line = new ClientLine(socket, options.signInTimeoutMs ?? 60_000)
  const client = new PacketLine(line)
  try {
    const broker = await signIn(client, options, verifier, clientClosed.signal)
    line.release()
    if (clientClosed.signal.aborted) broker.socket.terminate()
    else relay(socket, broker, refusalWords(client.sequence), options)
  } catch (error) {
    if (error instanceof ClientLeft) socket.destroy()
    else if (!clientClosed.signal.aborted) await refuse(client, socket, toBrokerError(error), options, verifier)
  } finally {
    line.release()
  }
}

/** @throws BrokerError, WireError, ClientLeft; nothing is left open then */
async function signIn(
  client: PacketLine,
  options: ClientOptions,
  verifier: Verifier | null,
  clientClosed: AbortSignal,
): Promise<BrokerSocket> {
  const bearer = await options.bearer()
  const ask = { ...options, protocol: 'mysql', tool: unnamedTool, bearer }
  const broker = await client.line.wait(openBrokerSocket(ask, clientClosed))
  try {
    const refused = await passSignIn(client, broker, verifier)
    if (refused) options.onRefusal(refused)
    return broker
  } catch (error) {
    broker.stream.on('error', () => {})
    broker.socket.terminate()
    throw error
  }
}

/** What it is told when the broker leaves without an answer has the number of the packet that the client then waits for. */
function refusalWords(sequence: number): RefusalWords {
  let next = sequence
  return {
    readRefusal: (chunk) => {
      if (chunk[4] === firstByte.authMore) next = sequence + 1
      return readRefusal(chunk)
    },
    toWords: (error) => toPacket(error, next),
  }
}

/** Where nothing was said yet, the client is greeted first: an error in place of the greeting is shown by few clients as it is. */
async function refuse(
  client: PacketLine,
  socket: Socket,
  error: BrokerError,
  options: ClientOptions,
  verifier: Verifier | null,
): Promise<void> {
  const told = client.sequence === 0 ? await greetToRefuse(client, error, verifier) : error
  options.onRefusal(told)
  socket.end(toPacket(told, client.sequence))
  socket.resume() // so that the client's own end is seen
}

function toPacket(error: BrokerError, sequence: number): Buffer {
  return encodePacket(sequence, encodeError(errorReply(error)))
}
