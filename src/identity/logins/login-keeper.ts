import { BrokerError } from '../../../proxy/session.ts'
import { newId } from '../../store/ids.ts'
import type { Credential } from '../admission.ts'
import { type Core, checkStanding, stands } from '../core.ts'
import { type Claims, principalId, readClaims } from '../directory/claims.ts'
import type { Step } from '../directory/directory-store.ts'
import { retried } from '../directory/retried.ts'
import { rolesOf } from '../directory/roles.ts'
import { loginEnded } from '../end-texts.ts'
import type { Login, Principal } from '../principal.ts'
import type { FailedLogins } from '../sign-in/failed-logins.ts'
import type { Unsigned } from '../signed-rows.ts'
import { hashSecret, isLoginSecret, newSecret } from '../tokens/token-format.ts'
import { createLoginStore, type LoginRow, type LoginStore } from './login-store.ts'
import type { Logins, LoginVia, Vouched } from './logins.ts'

const longestAcr = 256
const longestSid = 256
/** For operators: why there is no refresh token. */
const unprobedHint = 'check oidc.scopes (offline_access), oidc.fresh_prompt and the client at the provider'
const touchEveryMs = 60_000

/** Starts, recognises and ends the logins of people. */
export class LoginKeeper implements Logins {
  readonly #core: Core
  readonly #failures: FailedLogins
  readonly store: LoginStore

  constructor(core: Core, failures: FailedLogins) {
    this.#core = core
    this.#failures = failures
    this.store = createLoginStore(core.db, core.keyring)
  }

  async begin(vouched: Vouched, via: LoginVia, origin: { address: string }): Promise<{ secret: string; login: Login }> {
    const id = principalId(vouched.issuer, vouched.subject)
    try {
      const begun = await this.#core.mutex.run(id, () => retried(() => this.#begin(id, vouched, via, origin.address)))
      this.#core.metrics.loginsTotal.inc({ outcome: 'succeeded' })
      return begun
    } catch (error) {
      const isLocked = error instanceof BrokerError && error.code === 'PRINCIPAL_LOCKED'
      this.#core.metrics.loginsTotal.inc({ outcome: isLocked ? 'locked' : 'error' })
      if (isLocked) await this.#refused(id, via, origin.address)
      throw error
    }
  }

  async end(loginId: string, why: string): Promise<void> {
    const row = await this.store.byId(loginId)
    if (row) await this.#end(row, why, this.#core.clock.now())
  }

  async endOf(whose: { issuer: string; subject?: string; sid?: string }, why: string): Promise<number> {
    const id = whose.subject === undefined ? undefined : principalId(whose.issuer, whose.subject)
    const found =
      whose.sid !== undefined
        ? await this.store.ofSid(whose.sid)
        : id === undefined
          ? []
          : await this.store.ofPrincipal(id)
    let ended = 0
    for (const row of found) {
      if (id !== undefined ? row.principal_id !== id : !(await this.#isOfIssuer(row, whose.issuer))) continue
      await this.#end(row, why, this.#core.clock.now())
      ended++
    }
    return ended
  }

  failed(why: string, address: string): void {
    this.#failures.add(why, address)
  }

  /** @param via how it was presented: a cookie's secret is not accepted as a bearer token, nor the reverse */
  async authenticate(secret: string, via: LoginVia): Promise<Login | null> {
    if (!isLoginSecret(secret)) return null
    const row = await this.store.byHash(hashSecret(secret))
    if (!row || row.via !== via || !this.#isLive(row)) return null
    const principal = await this.#core.directory.principal(row.principal_id)
    if (!stands(principal)) return null
    await this.#touch(row)
    return this.#toLogin(row, principal)
  }

  /** A login by its id; undefined when it may no longer be used. */
  async credential(id: string): Promise<Credential | undefined> {
    const row = await this.store.byId(id)
    if (!row || !this.#isLive(row)) return undefined
    return stands(await this.#core.directory.standing(row.principal_id)) ? toCredential(row) : undefined
  }

  /** Ends logins that were idle for too long or have expired. */
  async expire(): Promise<void> {
    const now = this.#core.clock.now()
    for (const { row, isGenuine } of await this.store.over(now, now - this.#core.config.sessionIdleMs)) {
      if (isGenuine) await this.#end(row, row.expires_at <= now ? 'expired' : 'idle', now)
      else await this.store.delete(row.id)
    }
  }

  async #begin(id: string, vouched: Vouched, via: LoginVia, address: string) {
    const { directory, clock } = this.#core
    const row = await directory.row(id)
    this.#refuseLocked(id, row?.locked_at ?? null)
    const claims = readClaims(vouched)
    const now = clock.now()
    const { secret, login } = this.#newLogin(id, vouched, via, now)
    const name = await directory.nameOf({ id, subject: vouched.subject, ...claims })
    const step = row ? await directory.describe(row, claims) : await this.#create(id, vouched, claims, name)
    if (login.refresh_token === null)
      this.#core.logger.warn(
        { login: login.id, principal: id, hint: unprobedHint },
        'the identity provider issued no refresh token: this login cannot be probed',
      )
    const fields = {
      login: login.id,
      principal: id,
      via,
      acr: login.acr,
      expires_at: login.expires_at,
      probed: login.refresh_token !== null,
    }
    const event = { type: 'login.succeeded', actor: id, fields, text: { name, address } } as const
    await directory.give(event, step, [this.store.insertion(login)]) // not if it was locked meanwhile, here or elsewhere
    this.#refuseLocked(id, null) // this daemon knows of it first; storing it erases the login
    const principal = checkStanding(await directory.principal(id))
    return { secret, login: this.#toLogin(login, principal) }
  }

  async #create(id: string, { issuer, subject }: Vouched, claims: Claims, name: string): Promise<Step> {
    const now = this.#core.clock.now()
    const { row } = await this.#core.directory.create(
      {
        ...{ id, kind: 'person', issuer, subject, ...claims },
        ...{ active: 1, locked_at: null, owner_id: null, created_at: now, seen_at: now },
      },
      {
        type: 'principal.created',
        actor: id,
        fields: { principal: id, kind: 'person', groups: JSON.parse(claims.groups) as string[] },
        text: { name, issuer, subject },
      },
    )
    return this.#core.directory.next(row, {})
  }

  #refuseLocked(id: string, lockedAt: number | null): void {
    if ((this.#core.removals.lockedAt(id) ?? lockedAt) !== null) throw new BrokerError('PRINCIPAL_LOCKED')
  }

  #newLogin(principal: string, vouched: Vouched, via: LoginVia, now: number) {
    const { keyring, config } = this.#core
    const secret = newSecret()
    const id = newId('lgn')
    const { refreshToken, acr, sid } = vouched
    const login: Unsigned<'logins'> = {
      id,
      principal_id: principal,
      via,
      secret_hash: hashSecret(secret),
      authenticated_at: Math.min(vouched.authenticatedAt, now), // a provider whose clock is ahead makes no login younger
      acr: acr !== null && acr.length <= longestAcr ? acr : null,
      sid: sid !== null && sid.length <= longestSid ? sid : null,
      created_at: now,
      seen_at: now,
      expires_at: now + config.sessionMaxMs,
      refresh_token: refreshToken === null ? null : keyring.seal(sealPurpose(id), Buffer.from(refreshToken)),
      probe_at: refreshToken === null ? null : now + config.probeEveryMs,
      refreshing_until: null,
    }
    return { secret, login }
  }

  async #refused(principal: string, via: LoginVia, address: string): Promise<void> {
    const fields = { principal, via, why: 'PRINCIPAL_LOCKED' }
    await this.#core.audit.appendRemoval({ type: 'login.failed', actor: principal, fields, text: { address } })
  }

  #isLive(row: LoginRow): boolean {
    const now = this.#core.clock.now()
    const { removals } = this.#core
    if (removals.isRemoved(row.id) || removals.isVoid(row.principal_id, row.created_at)) return false
    return now < row.expires_at && now - row.seen_at < this.#core.config.sessionIdleMs
  }

  /** About once a minute: enough for the idle limit, and no write per request. */
  async #touch(row: LoginRow): Promise<void> {
    const now = this.#core.clock.now()
    if (now - row.seen_at < Math.min(touchEveryMs, this.#core.config.sessionIdleMs / 10)) return
    await this.store.replace(row, { seen_at: now }).catch((error: unknown) => {
      this.#core.logger.error({ err: error, login: row.id }, 'could not record the use of a login; it may end as idle')
    })
  }

  /** Takes effect here and in every open session first; the row, with its refresh token, goes next; then it is audited. */
  async #end(row: LoginRow, why: string, decidedAt: number): Promise<void> {
    const { removals, changes, audit, logger } = this.#core
    if (removals.isRemoved(row.id) && !removals.undeleted.has(row.id)) return await this.store.delete(row.id) // the row was restored from outside
    removals.remove(row.id, row.expires_at)
    changes.publish({ what: 'login', id: row.id, ...loginEnded(why), decidedAt })
    await this.store.delete(row.id).catch((error: unknown) => {
      removals.undeleted.set(row.id, 'logins')
      logger.error({ err: error, login: row.id }, 'could not delete an ended login; will retry')
    })
    await audit.appendRemoval({
      type: 'login.ended',
      actor: row.principal_id,
      fields: { login: row.id, principal: row.principal_id, why, expires_at: row.expires_at },
    })
  }

  async #isOfIssuer(row: LoginRow, issuer: string): Promise<boolean> {
    return (await this.#core.directory.row(row.principal_id))?.issuer === issuer
  }

  #toLogin(row: Unsigned<'logins'>, principal: Principal): Login {
    return {
      ...toCredential(row),
      id: row.id,
      principal,
      roles: rolesOf(principal, this.#core.config),
      expiresAt: row.expires_at,
      probed: row.refresh_token !== null,
    }
  }
}

function toCredential(row: Unsigned<'logins'>): Pick<Login, keyof Credential> {
  return {
    via: row.via === 'web' ? 'web' : 'cli',
    interactive: true,
    authenticatedAt: row.authenticated_at,
    acr: row.acr,
    scopes: null,
    cidr: null,
  }
}

/** A sealed refresh token fits the login it was given for, and no other row. */
export function sealPurpose(loginId: string): string {
  return `refresh-token:${loginId}`
}
