import type { PermitFacts } from '../../proxy/session.ts'
import type { Aws, AwsCredentials, SessionAsk } from '../aws/aws.ts'
import { Renewing } from '../aws/renewing.ts'
import type { Config } from '../config/config.ts'
import type { Identity } from '../identity/create-identity.ts'
import { idTokensOf } from '../identity/id-tokens.ts'
import type { KnownSession } from '../sessions/session-kinds.ts'
import type { Changes } from '../store/changes.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface LeaseDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly changes: Changes
  readonly clock: Clock
  readonly config: { readonly aws: Pick<Config['aws'], 'accounts'> }
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly logger: Logger
}

/** What a lease goes by. */
export type LeaseSession = Pick<
  PermitFacts,
  'sessionId' | 'principalName' | 'grantId' | 'requestId' | 'resourceId' | 'level' | 'endsAt'
> &
  Pick<KnownSession, 'credential'>

/** What a kind leases. */
export interface LeaseTerms<T, L> {
  /** What the session may do at most that signs for it. */
  ask(session: LeaseSession, target: T, level: L): Pick<SessionAsk, 'role' | 'policy' | 'sessionName'>
  /** The credential of one sign-in. */
  sign(target: T, level: L, held: AwsCredentials): Promise<string>
  /** What tells levels of one name apart. */
  keyOf(level: L): string
}

interface Placed {
  readonly partition: string
  readonly account: string
}

export interface Token {
  readonly text: string
  readonly expiresAt: number
}

/** Tokens can be used to sign in for 15 minutes; reuse spares the targets, which throttle new sign-ins by IAM. */
const tokenMs = 600_000
const mostLeases = 10_000
/** Of one lease, after its target refused a token: it may go on refusing. */
const discardMs = 60_000
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
  /** When it was last made anew because its target refused it. */
  discardedAt: number
}

/**
 * Upstream credentials, one for each (grant, target, level): shared by that grant's sessions, renewed ahead, in memory only. Where
 * the account takes only the person's own ID token there is one for each login or token too, so that none serves another's sessions.
 */
export class Leases<T extends Placed, L> {
  readonly #deps: LeaseDeps
  readonly #terms: LeaseTerms<T, L>
  readonly #byKey = new Map<string, Held>()
  /** Of grants that are over, by the sessions that may have left something running; for {@link tokenToEnd} alone. */
  readonly #ending = new Map<string, AwsCredentials>()

  readonly #onLateRenewal = (error: unknown) =>
    this.#deps.logger.warn({ err: error }, 'a lease could not be renewed ahead')

  constructor(deps: LeaseDeps, terms: LeaseTerms<T, L>) {
    this.#deps = deps
    this.#terms = terms
    deps.changes.subscribe((change) => {
      if (change.what === 'grant') this.#end(change.id)
    })
  }

  /**
   * The password of a new sign-in.
   * @param refused one that the target did not take: another is made, by new credentials, but at most one a minute
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED, PROVIDER_UNAVAILABLE
   */
  async token(session: LeaseSession, target: T, level: L, refused?: string): Promise<Token> {
    const known = this.#known(session, target, level)
    if (known && refused !== undefined) this.#discard(known, refused)
    if (known) return await known.token.get()
    const { clock } = this.#deps
    if (this.#byKey.size >= mostLeases) this.#forget((lease) => lease.endsAt <= clock.now())
    const held = this.#hold(session, target, level)
    this.#byKey.set(this.#keyOf(session, target, level), held)
    return await held.token.get()
  }

  /** The same if it is there, without waiting. */
  atHand(session: LeaseSession, target: T, level: L): Token | undefined {
    return this.#known(session, target, level)?.token.atHand()
  }

  #discard(held: Held, refused: string): void {
    const now = this.#deps.clock.now()
    if (held.token.last?.text !== refused || now < held.discardedAt + discardMs) return
    held.discardedAt = now
    held.credentials.discard()
    held.token.discard()
  }

  /** An extended grant gets a lease of its own length. */
  #known(session: LeaseSession, target: T, level: L): Held | undefined {
    const known = this.#byKey.get(this.#keyOf(session, target, level))
    if (!known || known.endsAt < session.endsAt) return undefined
    known.sessions.add(session.sessionId)
    return known
  }

  /**
   * The password of one last sign-in, which ends what a session left running: signed by credentials that were there before its
   * grant ended, if they still work. @throws BrokerError what {@link Leases.token} throws
   */
  async tokenToEnd(session: LeaseSession, target: T, level: L): Promise<Token> {
    const { aws, clock } = this.#deps
    const held = this.#byKey.get(this.#keyOf(session, target, level))
    const kept = this.#ending.get(session.sessionId) ?? held?.credentials.last
    this.#ending.delete(session.sessionId)
    const works = kept && kept.expiresAt > clock.now()
    const idToken = held?.idToken ?? idTokensOf(this.#deps.identity, session.credential)
    const ask = { ...this.#askFor(session, target, level), until: clock.now(), idToken }
    const credentials = works ? kept : await aws.session(ask)
    return { text: await this.#terms.sign(target, level, credentials), expiresAt: clock.now() + endingMs }
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

  #hold(session: LeaseSession, target: T, level: L): Held {
    const { aws, clock } = this.#deps
    const idToken = idTokensOf(this.#deps.identity, session.credential)
    const credentials = new Renewing({
      make: () => aws.session({ ...this.#askFor(session, target, level), idToken }),
      clock,
      aheadMs: 600_000, // so that AWS and the identity provider may fail for ten minutes
      until: session.endsAt + endingMs,
      marginMs: 60_000,
      onLateRenewal: this.#onLateRenewal,
    })
    const token = new Renewing({
      make: async () => {
        const held = await credentials.get()
        const text = await this.#terms.sign(target, level, held)
        return { text, expiresAt: Math.min(clock.now() + tokenMs, held.expiresAt) }
      },
      clock,
      aheadMs: 60_000,
      marginMs: 10_000,
      onLateRenewal: this.#onLateRenewal,
    })
    const { grantId, endsAt, sessionId } = session
    const discardedAt = Number.NEGATIVE_INFINITY
    return { grantId, endsAt, idToken, credentials, token, sessions: new Set([sessionId]), discardedAt }
  }

  #keyOf({ grantId, resourceId, level: name, credential }: LeaseSession, target: T, level: L): string {
    const isPersonal = this.#deps.config.aws.accounts[target.account]?.trust === 'web_identity'
    return JSON.stringify([
      grantId,
      resourceId,
      name,
      target,
      this.#terms.keyOf(level),
      isPersonal ? credential.id : null,
    ])
  }

  #askFor(session: LeaseSession, target: T, level: L): Omit<SessionAsk, 'idToken'> {
    const { principalName: person, grantId, requestId, endsAt } = session
    const { partition, account } = target
    const terms = this.#terms.ask(session, target, level)
    return { partition, account, person, grantId, requestId, until: endsAt + endingMs, ...terms }
  }
}
