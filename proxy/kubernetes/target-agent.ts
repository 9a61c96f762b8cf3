import { Agent, type ClientRequestArgs } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Reach } from '../reach/reach.ts'
import type { Trust } from '../reach/trust.ts'
import { BrokerError, type Lease, type SessionPermit } from '../session.ts'
import { startClientTls } from '../streams/client-tls.ts'

export interface TargetParts {
  readonly reach: Reach
  readonly trust: Trust
}

const mostConnections = 64
const keptMs = 30_000

/** TLS to the API server, verified against the certificate authority of the cluster alone. */
export async function connectTarget(
  { reach, trust }: TargetParts,
  permit: SessionPermit,
  lease: () => Promise<Lease>,
  signal: AbortSignal,
): Promise<Socket> {
  const { engine } = permit
  if (!engine) throw new BrokerError('INTERNAL', 'there is no cluster to reach')
  const [{ ca }, wire] = await Promise.all([lease(), reach.open(permit, signal)])
  const roots = ca ?? engine.ca
  if (roots === null) {
    wire.reset()
    throw new BrokerError('TARGET_UNTRUSTED', 'nothing is known of its certificate authority')
  }
  return await startClientTls(wire.stream, {
    serverName: engine.serverName,
    secureContext: trust.contextFor(roots),
    signal,
  })
}

/** Connections of one session to its cluster, kept open for its next requests; never shared with another's. */
export class TargetAgent extends Agent {
  readonly #connect: () => Promise<Socket>

  constructor(connect: () => Promise<Socket>) {
    super({ keepAlive: true, maxSockets: mostConnections, timeout: 0, keepAliveMsecs: keptMs, scheduling: 'lifo' })
    this.#connect = connect
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
