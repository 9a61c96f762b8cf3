/**
 * The client's side of a PostgreSQL session up to the point where the client and its request are known: we are the server
 * (PostgreSQL documentation, "Message Flow", "Start-up"). Two ways in: the protocol port, with TLS and a connect token, and
 * a websocket from the local proxy, which has already signed in.
 */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { CancelAsk } from '../../doorman.ts'
import { boundTo, kindOf } from '../../relay/bound-to.ts'
import type { KnownClient, PortOptions } from '../../relay/protocol.ts'
import { type ReceivingParts, receiveClient } from '../../relay/receive-client.ts'
import type { ClientOrigin } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { encodeNegotiateProtocolVersion } from '../../wire/postgres/encode.ts'
import { newestMinor } from '../../wire/postgres/messages.ts'
import { words } from '../errors.ts'
import { bindingOf } from './channel-binding.ts'
import type { PostgresClient } from './client.ts'
import { decline, negotiate } from './negotiate.ts'
import { signIn } from './sign-in.ts'
import { readStartup, type Startup } from './startup.ts'

/**
 * A client that was accepted. From here the caller owns the stream, which may have ended. A cancel is answered by closing the
 * stream, for right and wrong keys alike, and not before the target has received it: libpq waits for that. Bytes after a
 * cancel are to be dropped.
 */
export type Received =
  | { readonly kind: 'client'; readonly client: PostgresClient }
  | { readonly kind: 'cancel'; readonly ask: CancelAsk; readonly stream: Duplex }

export const protocol = 'postgres'

/**
 * Receives a client of the protocol port. Never rejects.
 * @param socket fresh from the listener, nothing read
 * @returns undefined when the client was refused or disconnected; there is nothing more to do
 */
export function receiveFromPort(
  parts: ReceivingParts,
  socket: Socket,
  client: ClientOrigin,
  options: Pick<PortOptions, 'secureContext' | 'resourceId'>,
): Promise<Received | undefined> {
  const { doorman } = parts.host
  return receiveClient<Received>(
    socket,
    { client },
    {
      parts,
      words,
      signIn: async (line, identified) => {
        const arrival = await negotiate(line, socket, options.secureContext)
        if (!('tls' in arrival)) return cancel(line, arrival.message, client)
        const startup = readStartup(arrival.message)
        answerVersion(line, startup)
        const binding = bindingOf(arrival)
        const since = performance.now()
        const identity = await signIn(line, startup.user, client, { doorman, binding })
        identified({ identity, resourceId: identity.bound?.resourceId ?? '', client })
        const { resourceId, level } = boundTo(identity, options.resourceId)
        doorman.phase(kindOf(resourceId), 'identify', (performance.now() - since) / 1000)
        return known(line, startup, { identity, resourceId, level, client })
      },
    },
  )
}

/** Receives a client at the other end of a websocket, without TLS and password. Fails like {@link receiveFromPort}. */
export function receiveFromWebsocket(
  parts: ReceivingParts,
  stream: Duplex,
  ask: KnownClient,
): Promise<Received | undefined> {
  return receiveClient<Received>(stream, ask, {
    parts,
    words,
    signIn: async (line) => {
      const message = await decline(line)
      if (message.kind === 'cancel') return cancel(line, message, ask.client)
      const startup = readStartup(message)
      answerVersion(line, startup)
      return known(line, startup, ask)
    },
  })
}

function cancel(line: ClientLine, { pid: id, key }: { pid: number; key: Buffer }, origin: ClientOrigin): Received {
  return { kind: 'cancel', ask: { protocol, id, key, origin }, stream: line.stream }
}

function known(line: ClientLine, startup: Startup, ask: KnownClient): Received {
  const { user: _, tool = ask.tool, ...rest } = startup
  const client = {
    ...ask,
    ...rest,
    stream: line.stream,
    ahead: line.takeAhead(),
    ...(tool === undefined ? {} : { tool }),
  }
  return { kind: 'client', client }
}

/** Tells a client that requested a newer version or unknown options what is supported. Must be the first message, and sent once. */
function answerVersion(line: ClientLine, { minor, unknownOptions }: Startup): void {
  if (minor <= newestMinor && unknownOptions.length === 0) return
  line.write(encodeNegotiateProtocolVersion(Math.min(minor, newestMinor), unknownOptions))
}
