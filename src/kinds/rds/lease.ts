import type { PermitFacts } from '../../../proxy/session.ts'
import type { Aws, AwsCredentials, SessionAsk } from '../../aws/aws.ts'
import { Renewing } from '../../aws/renewing.ts'
import type { Config } from '../../config/config.ts'
import type { Identity } from '../../identity/create-identity.ts'
import { idTokensOf } from '../../identity/id-tokens.ts'
import type { KnownSession } from '../../sessions/session-kinds.ts'
import type { Changes } from '../../store/changes.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { RdsLevel } from './level.ts'
import type { RdsTarget } from './target.ts'

export interface LeaseDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly changes: Changes
  readonly clock: Clock
  readonly config: { readonly aws: Pick<Config['aws'], 'accounts'> }
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly logger: Logger
}

/** What a lease goes by. */
type LeaseSession = Pick<
  PermitFacts,
  'sessionId' | 'principalName' | 'grantId' | 'requestId' | 'resourceId' | 'level' | 'endsAt'
> &
  Pick<KnownSession, 'credential'>

export interface Token {
  readonly text: string
  readonly expiresAt: number
}

/** A token can be used to sign in for 15 minutes; reuse spares the target, which throttles new IAM sign-ins. */
const tokenMs = 600_000
const mostLeases = 10_000
/** How much longer than the grant the credentials last: to end what still runs when it is over. They never leave this process. */
const endingMs = 120_000

/** One lease: tokens for new sign-ins, and the credentials that sign them. */
interface Held {
  readonly grantId: string
  readonly endsAt: number
  readonly idToken: SessionAsk['idToken']
  readonly credentials: Renewing<AwsCredentials>
  readonly token: Renewing<Token>
  /** That opened with it. */
  readonly sessions: Set<string>
}

/**
 * Upstream credentials, one for each (grant, target, level): shared by that grant's sessions, renewed ahead, in memory only. Where
 * the account takes only the person's own ID token there is one for each login or token too, so that none serves another's sessions.
 */
export class Leases {
  readonly #deps: LeaseDeps
  readonly #byKey = new Map<string, Held>()
  /** Of grants that are over, by the sessions that may have left something running; for {@link tokenToEnd} alone. */
  readonly #ending = new Map<string, AwsCredentials>()

  readonly #onLateRenewal = (error: unknown) =>
    this.#deps.logger.warn({ err: error }, 'a lease could not be renewed ahead')

  constructor(deps: LeaseDeps) {
    this.#deps = deps
    deps.changes.subscribe((change) => {
      if (change.what === 'grant') this.#end(change.id)
    })
  }

  /** The password of a new sign-in. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  async token(session: LeaseSession, target: RdsTarget, level: RdsLevel): Promise<Token> {
    const known = this.#known(session, target, level)
    if (known) return await known.get()
    const { clock } = this.#deps
    if (this.#byKey.size >= mostLeases) this.#forget((lease) => lease.endsAt <= clock.now())
    const held = this.#hold(session, target, level)
    this.#byKey.set(this.#keyOf(session, target, level), held)
    return await held.token.get()
  }

  /** The same if it is there, without waiting. */
  atHand(session: LeaseSession, target: RdsTarget, level: RdsLevel): Token | undefined {
    return this.#known(session, target, level)?.atHand()
  }

  /** An extended grant gets a lease of its own length. */
  #known(session: LeaseSession, target: RdsTarget, level: RdsLevel): Renewing<Token> | undefined {
    const known = this.#byKey.get(this.#keyOf(session, target, level))
    if (!known || known.endsAt < session.endsAt) return undefined
    known.sessions.add(session.sessionId)
    return known.token
  }

  /**
   * The password of one last sign-in, which ends what a session left running: signed by credentials that were there before its
   * grant ended, if they still work. @throws BrokerError what {@link Leases.token} throws
   */
  async tokenToEnd(session: LeaseSession, target: RdsTarget, level: RdsLevel): Promise<Token> {
    const { aws, clock } = this.#deps
    const held = this.#byKey.get(this.#keyOf(session, target, level))
    const kept = this.#ending.get(session.sessionId) ?? held?.credentials.last
    this.#ending.delete(session.sessionId)
    const works = kept && kept.expiresAt > clock.now()
    const idToken = held?.idToken ?? idTokensOf(this.#deps.identity, session.credential)
    const ask = { ...askFor(session, target, level), until: clock.now(), idToken }
    const credentials = works ? kept : await aws.session(ask)
    return { text: await sign(target, level.dbUser, credentials), expiresAt: clock.now() + endingMs }
  }

  /** Renews the credentials of open sessions ahead, so that the end of one needs no answer from AWS. A failure affects no other. */
  async renew(isOpen: (sessionId: string) => boolean): Promise<void> {
    for (const [sessionId] of this.#ending) if (!isOpen(sessionId)) this.#ending.delete(sessionId)
    const held = [...this.#byKey.values()]
    for (const { sessions } of held)
      for (const sessionId of sessions) if (!isOpen(sessionId)) sessions.delete(sessionId)
    const due = held.filter(({ sessions }) => sessions.size > 0)
    await Promise.all(due.map(({ credentials }) => credentials.get().catch(this.#onLateRenewal)))
  }

  #end(grantId: string): void {
    for (const held of this.#byKey.values()) {
      const credentials = held.grantId === grantId ? held.credentials.last : undefined
      if (credentials) for (const sessionId of held.sessions) this.#ending.set(sessionId, credentials)
    }
    this.#forget((lease) => lease.grantId === grantId)
  }

  #forget(matches: (lease: Held) => boolean): void {
    for (const [key, lease] of this.#byKey) if (matches(lease)) this.#byKey.delete(key)
  }

  #hold(session: LeaseSession, target: RdsTarget, level: RdsLevel): Held {
    const { aws, clock } = this.#deps
    const idToken = idTokensOf(this.#deps.identity, session.credential)
    const credentials = new Renewing({
      make: () => aws.session({ ...askFor(session, target, level), idToken }),
      clock,
      aheadMs: 600_000, // so that AWS and the identity provider may fail for ten minutes
      until: session.endsAt + endingMs,
      marginMs: 60_000,
      onLateRenewal: this.#onLateRenewal,
    })
    const token = new Renewing({
      make: async () => {
        const held = await credentials.get()
        const text = await sign(target, level.dbUser, held)
        return { text, expiresAt: Math.min(clock.now() + tokenMs, held.expiresAt) }
      },
      clock,
      aheadMs: 60_000,
      marginMs: 10_000,
      onLateRenewal: this.#onLateRenewal,
    })
    const { grantId, endsAt, sessionId } = session
    return { grantId, endsAt, idToken, credentials, token, sessions: new Set([sessionId]) }
  }

  #keyOf({ grantId, resourceId, level: name, credential }: LeaseSession, target: RdsTarget, level: RdsLevel): string {
    const isPersonal = this.#deps.config.aws.accounts[target.account]?.trust === 'web_identity'
    return JSON.stringify([grantId, resourceId, name, target, level.dbUser, isPersonal ? credential.id : null])
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
    until: session.endsAt + endingMs,
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
