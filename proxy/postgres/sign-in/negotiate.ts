/** How a client of the protocol port starts TLS (PostgreSQL documentation, "SSL Session Encryption"). */
import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { BrokerError } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { acceptEncryption, refuseEncryption } from '../../wire/postgres/encode.ts'
import type { InitialMessage, StartupMessage } from '../../wire/postgres/messages.ts'
import { WireError } from '../../wire/wire-error.ts'
import { readInitial } from './read-message.ts'

const alpnProtocol = 'postgresql'

type Cancel = Extract<InitialMessage, { kind: 'cancel' }>

/** The client's first request. A CancelRequest needs no TLS: libpq before 17 sends it without, even when its session uses TLS. */
export type Arrival =
  | { readonly message: Cancel }
  | { readonly message: StartupMessage; readonly tls: TLSSocket; readonly context: SecureContext }

const tlsHandshake = 0x16
/** Every length up to 10,000 begins with it. */
const startupFamily = 0x00

/**
 * Direct TLS, or at most one GSSENCRequest (declined) and one SSLRequest (accepted), then the request itself.
 * @throws WireError, BrokerError TLS_REQUIRED; Error when the TLS handshake fails
 */
export async function negotiate(line: ClientLine, socket: Socket, context: () => SecureContext): Promise<Arrival> {
  const first = await line.peek()
  if (first === tlsHandshake) return startDirect(line, socket, context())
  if (first !== startupFamily) throw garbage()
  let message = await readInitial(line)
  if (message.kind === 'gssenc') {
    line.checkNothingFollows()
    line.write(refuseEncryption)
    message = await readInitial(line)
  }
  if (message.kind === 'cancel') return { message }
  if (message.kind === 'startup') throw tlsRequired()
  if (message.kind !== 'ssl') throw repeated()
  line.checkNothingFollows()
  line.write(acceptEncryption)
  const now = context()
  return readInside(line, await line.startTls(socket, now, alpnProtocol), now)
}

/** Without ALPN, a browser could be tricked into speaking to this port inside TLS (ALPACA). */
async function startDirect(line: ClientLine, socket: Socket, context: SecureContext): Promise<Arrival> {
  const tls = await line.startTls(socket, context, alpnProtocol)
  if (!tls.alpnProtocol) throw withoutAlpn()
  return readInside(line, tls, context)
}

async function readInside(line: ClientLine, tls: TLSSocket, context: SecureContext): Promise<Arrival> {
  const message = await readInitial(line)
  if (message.kind === 'cancel') return { message }
  if (message.kind === 'startup') return { message, tls, context }
  throw repeated()
}

/**
 * Without TLS, where something else protects the bytes: declines GSSENCRequest and SSLRequest, each once.
 * @throws WireError
 */
export async function decline(line: ClientLine): Promise<Cancel | StartupMessage> {
  const seen = new Set<InitialMessage['kind']>()
  for (;;) {
    const message = await readInitial(line)
    if (message.kind === 'cancel' || message.kind === 'startup') return message
    if (seen.has(message.kind)) throw repeated()
    seen.add(message.kind)
    line.checkNothingFollows()
    line.write(refuseEncryption)
  }
}

function repeated(): WireError {
  return new WireError('unexpected encryption request')
}

function garbage(): BrokerError {
  const hint = 'This port accepts only the PostgreSQL protocol.'
  return new BrokerError('PROTOCOL_ERROR', 'these are not the first bytes of a PostgreSQL client', { hint })
}

function withoutAlpn(): BrokerError {
  const hint = 'Request TLS in the protocol (sslnegotiation=postgres), or send postgresql in ALPN.'
  return new BrokerError('PROTOCOL_ERROR', 'direct TLS requires the ALPN protocol postgresql', { hint })
}

function tlsRequired(): BrokerError {
  return new BrokerError('TLS_REQUIRED', undefined, { hint: 'Connect with sslmode=verify-full.' })
}
