import { Agent, type ClientRequestArgs } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Reach } from '../reach/reach.ts'
import type { Trust } from '../reach/trust.ts'
import { BrokerError, type FailedLease, type Lease, type SessionPermit } from '../session.ts'
import { startClientTls } from '../streams/client-tls.ts'
import type { TlsSessions } from '../streams/tls-sessions.ts'

export interface TargetParts {
  readonly reach: Reach
  readonly trust: Trust
  readonly tlsSessions: TlsSessions
}

/** For one connection with its TLS, also by an instance. */
const connectMs = 20_000

type GetLease = (failed?: FailedLease) => Promise<Lease>

/**
 * TLS to the API server, verified against the certificate authority of the cluster alone. When that does not work AWS is asked again what
 * the cluster is: it may be gone, or have another authority.
 */
export async function connectTarget(
  parts: TargetParts,
  permit: SessionPermit,
  lease: GetLease,
  signal: AbortSignal,
): Promise<Socket> {
  const { ca } = await lease()
  try {
    return await connect(parts, permit, ca, signal)
  } catch (error) {
    if (ca === undefined || signal.aborted) throw error
    const { ca: now } = await lease({ ca })
    if (now === ca) throw error
    return await connect(parts, permit, now, signal)
  }
}

async function connect(
  { reach, trust, tlsSessions }: TargetParts,
  permit: SessionPermit,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const { engine } = permit
  if (!engine) throw new BrokerError('INTERNAL', 'there is no cluster to reach')
  const roots = ca ?? engine.ca
  if (roots === null) throw new BrokerError('TARGET_UNTRUSTED', 'nothing is known of its certificate authority')
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(connectMs)])
  const { stream } = await reach.open(permit, inTime)
  return await startClientTls(stream, {
    serverName: engine.serverName,
    secureContext: trust.contextFor(roots),
    signal: inTime,
    sessions: tlsSessions,
  })
}

const keepAliveMs = 30_000
/** API servers close a connection once nothing came for 90 s. */
const unusedMs = 60_000

/** Connections of one session to its cluster, kept open for its next requests; never shared with another's. */
export class TargetAgent extends Agent {
  readonly #connect: () => Promise<Socket>

  constructor(connect: () => Promise<Socket>) {
    super({ keepAlive: true, timeout: unusedMs, keepAliveMsecs: keepAliveMs, scheduling: 'lifo' })
    this.#connect = connect
  }

  /** Closes those without a request: one of them turned out to be dead. */
  closeUnused(): void {
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }

  override createConnection(
    _: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    this.#connect().then(
      (socket) => callback?.(null, socket),
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
}
