import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClientOrigin, EndReason } from '../session.ts'
import { endWith } from '../streams/farewell.ts'
import type { CancelAsk, PostgresClient } from './sign-in/client.ts'
import {
  type DownstreamDeps,
  type KnownClient,
  type PortOptions,
  type Received,
  receiveFromPort,
  receiveFromWebsocket,
} from './sign-in/downstream.ts'

/** What happens to a client once it is known. */
export interface Engine {
  /** Resolves when the client is gone, with why its session ended; undefined: it never had one. Never rejects. */
  serve(client: PostgresClient): Promise<EndReason | undefined>
  /** Resolves when upstream has heard of it, or the key was wrong. Never rejects. */
  cancel(ask: CancelAsk): Promise<void>
}

/** Serves one client of the protocol port, from its first byte to its last. @param signedIn called once it is known */
export async function servePort(
  engine: Engine,
  socket: Socket,
  client: ClientOrigin,
  options: PortOptions & { signedIn(): void },
): Promise<void> {
  const received = await receiveFromPort(socket, client, options)
  if (received?.kind === 'client') options.signedIn()
  await serve(engine, received)
}

/** Serves one client behind a websocket, whose other end is the local proxy. */
export async function serveWebsocket(
  engine: Engine,
  stream: Duplex,
  ask: KnownClient,
  deps: DownstreamDeps,
): Promise<EndReason | undefined> {
  return await serve(engine, await receiveFromWebsocket(stream, ask, deps))
}

async function serve(engine: Engine, received: Received | undefined): Promise<EndReason | undefined> {
  if (received?.kind === 'client') return await engine.serve(received.client)
  if (received?.kind !== 'cancel') return undefined
  await engine.cancel(received.ask)
  endWith(received.stream) // libpq waits for this close
  return undefined
}
