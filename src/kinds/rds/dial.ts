import { lookup } from 'node:dns/promises'
import type { PostgresDial } from '../../../proxy/postgres/target/route.ts'
import { BrokerError, type SessionPermit } from '../../../proxy/session.ts'
import { type Held, heldBy, type Kind } from '../../catalog/kind.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { type LeaseDeps, Leases } from './lease.ts'
import type { RdsLevel } from './level.ts'
import { Roots } from './roots.ts'
import { isForbidden, type RdsTarget } from './target.ts'

export interface DialDeps extends LeaseDeps {
  readonly metrics: Pick<Metrics, 'sessionOpenSeconds'>
  /** What was decided when the permit was made. */
  answerOf(permit: SessionPermit): { readonly held: Held }
  readonly kind: Kind<RdsTarget, RdsLevel>
}

/** Where a PostgreSQL session goes, and as whom; the token is signed when it is asked for. */
export function createRdsPostgresDial(deps: DialDeps): PostgresDial {
  const leases = new Leases(deps)
  const roots = new Roots()
  return async (permit) => {
    const { target, level } = heldBy(deps.kind, deps.answerOf(permit).held)
    const { connect, endpoint, database, ca } = target
    // Fetched while the connection is made.
    const since = performance.now()
    const token = leases.token(permit, target, level).finally(() => {
      const seconds = (performance.now() - since) / 1000
      deps.metrics.sessionOpenSeconds.observe({ kind: deps.kind.name, phase: 'aws' }, seconds)
    })
    token.catch(() => {}) // `password` reports it, unless the connection fails first
    return {
      host: await resolve(connect.host),
      port: connect.port,
      servername: endpoint,
      secureContext: roots.contextFor(ca),
      user: level.dbUser,
      databases: level.databases,
      defaultDatabase: database,
      statementTimeoutMs: level.statementTimeoutMs,
      maxRows: level.maxRows,
      password: () => token,
    }
  }
}

/** Each time anew, since Aurora's names move; and checked, since names are other people's. */
async function resolve(host: string): Promise<string> {
  let address: string
  try {
    address = (await lookup(host)).address
  } catch (cause) {
    throw new BrokerError('TARGET_UNREACHABLE', 'its name does not resolve', { cause })
  }
  if (isForbidden(address)) throw new BrokerError('TARGET_UNREACHABLE', 'its name leads to a link-local address')
  return address
}
