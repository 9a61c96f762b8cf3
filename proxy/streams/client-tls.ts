import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { toTargetError } from './dial-errors.ts'
import type { TlsSessions } from './tls-sessions.ts'

export interface TlsOptions {
  /** Name that the certificate must match. */
  readonly serverName: string
  readonly secureContext: SecureContext
  readonly signal: AbortSignal
  /** Of the servers that connections go to again and again. */
  readonly sessions?: TlsSessions
}

/**
 * TLS as a client over a stream to a target, verified. The stream is destroyed when it fails.
 * @throws BrokerError TARGET_UNTRUSTED, TARGET_UNREACHABLE, TARGET_LOST
 */
export async function startClientTls(
  stream: Duplex,
  { serverName, secureContext, signal, sessions }: TlsOptions,
): Promise<TLSSocket> {
  const session = sessions?.find(secureContext, serverName)
  try {
    const tls = connect({
      socket: stream as Socket, // Node takes any Duplex here
      secureContext,
      servername: serverName,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(session === undefined ? {} : { session }),
    })
    tls.on('error', () => {}) // the waiting code has a listener of its own; a late error must not go unhandled
    sessions?.follow(tls, secureContext, serverName)
    await once(tls, 'secureConnect', { signal })
    return tls
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  }
}
