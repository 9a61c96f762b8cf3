import type { PermitFacts } from '../../../proxy/session.ts'
import type { Aws, AwsCredentials } from '../../aws/aws.ts'
import { Renewing } from '../../aws/renewing.ts'
import type { Changes } from '../../store/changes.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { RdsLevel } from './level.ts'
import type { RdsTarget } from './target.ts'

export interface LeaseDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly changes: Changes
  readonly clock: Clock
  readonly logger: Logger
}

/** What a lease goes by. */
type LeaseSession = Pick<PermitFacts, 'principalName' | 'grantId' | 'requestId' | 'resourceId' | 'level' | 'endsAt'>

export interface Token {
  readonly text: string
  readonly expiresAt: number
}

/** A token can be used to sign in for 15 minutes; reuse spares the target, which throttles new IAM sign-ins. */
const tokenMs = 600_000
const mostLeases = 10_000

/** Upstream credentials, one for each (grant, target, level): shared by that grant's sessions, renewed ahead, in memory only. */
export class Leases {
  readonly #deps: LeaseDeps
  readonly #byKey = new Map<string, { grantId: string; endsAt: number; token: Renewing<Token> }>()

  constructor(deps: LeaseDeps) {
    this.#deps = deps
    deps.changes.subscribe((change) => {
      if (change.what === 'grant') this.#forget((lease) => lease.grantId === change.id)
    })
  }

  /** The password of a new sign-in. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  async token(session: LeaseSession, target: RdsTarget, level: RdsLevel): Promise<Token> {
    const known = this.#known(session, target, level)
    if (known) return await known.get()
    const { clock } = this.#deps
    if (this.#byKey.size >= mostLeases) this.#forget((lease) => lease.endsAt <= clock.now())
    const token = this.#signing(session, target, level)
    this.#byKey.set(keyOf(session, target, level), { grantId: session.grantId, endsAt: session.endsAt, token })
    return await token.get()
  }

  /** The same if it is there, without waiting. */
  atHand(session: LeaseSession, target: RdsTarget, level: RdsLevel): Token | undefined {
    return this.#known(session, target, level)?.atHand()
  }

  /** An extended grant gets a lease of its own length. */
  #known(session: LeaseSession, target: RdsTarget, level: RdsLevel): Renewing<Token> | undefined {
    const known = this.#byKey.get(keyOf(session, target, level))
    return known && known.endsAt >= session.endsAt ? known.token : undefined
  }

  #forget(matches: (lease: { grantId: string; endsAt: number }) => boolean): void {
    for (const [key, lease] of this.#byKey) if (matches(lease)) this.#byKey.delete(key)
  }

  #signing(session: LeaseSession, target: RdsTarget, level: RdsLevel): Renewing<Token> {
    const { aws, clock, logger } = this.#deps
    const onLateRenewal = (error: unknown) => logger.warn({ err: error }, 'a lease could not be renewed ahead')
    const credentials = new Renewing({
      make: () => aws.session(askFor(session, target, level)),
      clock,
      aheadMs: 300_000,
      marginMs: 60_000,
      onLateRenewal,
    })
    return new Renewing({
      make: async () => {
        const held = await credentials.get()
        const text = await sign(target, level.dbUser, held)
        return { text, expiresAt: Math.min(clock.now() + tokenMs, held.expiresAt) }
      },
      clock,
      aheadMs: 60_000,
      marginMs: 10_000,
      onLateRenewal,
    })
  }
}

/** The narrowest that AWS allows: signing in as one user of one database. */
function askFor(session: LeaseSession, target: RdsTarget, level: RdsLevel) {
  const { partition, account, region, role, resourceId } = target
  const resource = `arn:${partition}:rds-db:${region}:${account}:dbuser:${resourceId}/${level.dbUser}`
  const statement = { Effect: 'Allow', Action: 'rds-db:connect', Resource: resource }
  return {
    partition,
    account,
    role,
    person: session.principalName,
    grantId: session.grantId,
    requestId: session.requestId,
    policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    until: session.endsAt,
  }
}

/** Signed for the endpoint's own name and port, even when another address is dialled. */
export async function sign(
  target: Pick<RdsTarget, 'endpoint' | 'port' | 'region'>,
  username: string,
  held: AwsCredentials,
): Promise<string> {
  const { Signer } = await import('@aws-sdk/rds-signer')
  const { accessKeyId, secretAccessKey, sessionToken } = held
  const { endpoint: hostname, port, region } = target
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
  return await new Signer({ hostname, port, username, region, credentials }).getAuthToken()
}

function keyOf({ grantId, resourceId, level: name }: LeaseSession, target: RdsTarget, level: RdsLevel): string {
  return JSON.stringify([grantId, resourceId, name, target, level.dbUser])
}
