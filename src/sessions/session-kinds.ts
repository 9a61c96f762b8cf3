import type { EngineFacts, Lease } from '../../proxy/session.ts'
import type { Held } from '../catalog/kind.ts'

/** What sessions need from kinds; implemented by src/kinds/started-kinds.ts. */
export interface SessionKinds {
  /** Undefined: the kind carries its own sessions. */
  protocolOf(kind: string): string | undefined
  /** Null for kinds that carry no bytes. */
  engineOf(held: Held): EngineFacts | null
  /** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED; INTERNAL for a kind without one */
  lease(kind: string, sessionId: string): Promise<Lease>
}
