import { lookup } from 'node:dns/promises'
import type { PostgresDial } from '../../../proxy/postgres/target/route.ts'
import { BrokerError, type SessionPermit } from '../../../proxy/session.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { type LeaseDeps, Leases } from './lease.ts'
import type { RdsLevel } from './level.ts'
import { Roots } from './roots.ts'
import { isForbidden, parseTarget } from './target.ts'

export interface DialDeps extends LeaseDeps {
  readonly metrics: Pick<Metrics, 'sessionOpenSeconds'>
  /** What was decided when the permit was made. */
  answerOf(permit: SessionPermit): { readonly resource: Resource; readonly level: unknown }
}

/** Where a PostgreSQL session goes, and as whom; the token is signed when it is asked for. */
export function createRdsPostgresDial(deps: DialDeps): PostgresDial {
  const leases = new Leases(deps)
  const roots = new Roots()
  return async (permit) => {
    const answer = deps.answerOf(permit)
    const target = parseTarget(answer.resource)
    if (!target.ok) throw new BrokerError('RESOURCE_UNKNOWN', target.problems[0]?.message)
    const level = answer.level as RdsLevel // of this kind's parseLevel, see AccessAnswer
    const { connect, endpoint, database, ca } = target.value
    // Fetched while the connection is made.
    const since = performance.now()
    const token = leases.token(permit, target.value, level).finally(() => {
      const seconds = (performance.now() - since) / 1000
      deps.metrics.sessionOpenSeconds.observe({ kind: 'rds-postgres', phase: 'aws' }, seconds)
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
