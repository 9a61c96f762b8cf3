import type { Claim, Identity, TokenKeys } from '../../../proxy/doorman.ts'
import { isWithinRange } from '../../../proxy/ports/address-range.ts'
import { BrokerError, type ClientOrigin } from '../../../proxy/session.ts'
import { type ConnectTokenView, longestConnectTokenMs } from '../../contract/tokens.ts'
import { type ListPage, readPage } from '../../store/lists.ts'
import { admit, type Credential } from '../admission.ts'
import { actorOf, type Core, checkStanding, mayManage, stands } from '../core.ts'
import { tokenRevoked } from '../end-texts.ts'
import type { Login, Principal, ReadStanding } from '../principal.ts'
import { readCidr } from './cidr.ts'
import { type ConnectKeys, deriveConnectKeys, madeUpKeys, sealKeys, toTokenKeys, unsealKeys } from './connect-keys.ts'
import { eraseToken, noteUse, publishRemoval, removeToken } from './remove-token.ts'
import { type SignInRow, SignInRows } from './sign-in-rows.ts'
import { isHashOf, isTokenId, mintConnectToken, parseConnectToken } from './token-format.ts'
import type { TokenGrant, TokenRule } from './token-grants.ts'
import { type ConnectTokenRow, ownerIn, type TokenQuery, type TokenStore } from './token-store.ts'
import { UsedTokens } from './used-tokens.ts'

const mostPerPrincipal = 500
const expired = { reason: 'token-revoked', text: 'the connect token has expired; issue a new one' } as const
/** By then its row is erased. */
const keptMs = 3_600_000

export interface ConnectTokenAsk {
  /** Full id or unique last part. */
  readonly resource: string
  readonly level?: string
  readonly grantId?: string
  /** Cut to what the grant and the rule allow. */
  readonly durationMs?: number
  readonly cidr?: string
}

/** Passwords for database clients, each bound to one grant. */
export class ConnectTokens {
  readonly #core: Core
  readonly #store: TokenStore
  readonly #isUsable: (apiTokenId: string) => Promise<boolean>
  readonly #used = new UsedTokens<ConnectTokenRow>()
  readonly #signIns: SignInRows
  /** Ends of grants before they were extended, until they have passed. Open sessions do not outlive the daemon, nor need these. */
  #formerEnds: { readonly grantId: string; readonly at: number }[] = []

  /** @param isUsable whether an API token, through which connect tokens were issued, may still be used */
  constructor(core: Core, store: TokenStore, isUsable: (apiTokenId: string) => Promise<boolean>) {
    this.#core = core
    this.#store = store
    this.#isUsable = isUsable
    this.#signIns = new SignInRows(core, store)
    core.changes.subscribe((change) => {
      if (change.what === 'grant-extended' && change.from !== null)
        this.#formerEnds.push({ grantId: change.id, at: change.from })
    })
  }

  /**
   * @returns `token`, never shown again
   * @throws BrokerError what access says of the resource or the grant; LOGIN_TOO_OLD, AUDIT_UNAVAILABLE
   */
  async issue(login: Login, ask: ConnectTokenAsk): Promise<{ token: string; view: ConnectTokenView }> {
    const { grant, rule } = await this.#grantFor(login, ask)
    admit({ door: 'connect-token', by: login, rule, now: this.#core.clock.now() })
    const ownCidr = ask.cidr === undefined ? null : readCidr(ask.cidr)
    const inherited = login.via === 'api-token' ? await this.#store.apiToken(login.id) : undefined
    return await this.#core.mutex.run(login.principal.id, async () => {
      checkStanding(await this.#core.directory.principal(login.principal.id))
      if ((await this.#store.connectTokensOf(login.principal.id)).length >= mostPerPrincipal)
        throw new BrokerError(
          'RATE_LIMITED',
          `you have reached the limit of ${mostPerPrincipal} connect tokens; revoke some first`,
        )
      const { id, token } = mintConnectToken()
      const now = this.#core.clock.now()
      const most = Math.min(rule.connectTokenMaxMs, grant.endsAt - now, longestConnectTokenMs)
      const expires = now + Math.min(most, ask.durationMs ?? most)
      const row = {
        id,
        principal_id: login.principal.id,
        grant_id: grant.id,
        resource_id: grant.resourceId,
        level: grant.level,
        issued_by: login.id,
        cidr: ownCidr ?? inherited?.cidr ?? null,
        keys: sealKeys(this.#core.keyring, id, deriveConnectKeys(this.#core.keyring, id, token)),
        created_at: now,
        // A token issued through an API token never outlives or exceeds it.
        expires_at: inherited ? Math.min(expires, inherited.expires_at) : expires,
        last_used_at: null,
        last_used_from: null,
      }
      if (row.expires_at <= now) throw new BrokerError('GRANT_EXPIRED')
      if (inherited?.cidr != null && !isWithinRange(row.cidr, inherited.cidr)) throw new BrokerError('ADDRESS_REFUSED')
      await this.#core.audit.append(this.#event('connect-token.issued', login, row), [
        this.#store.insertionOfConnect(row),
      ])
      return { token, view: toView(row) }
    })
  }

  /** One's own; an admin may see all. */
  async list(login: Login, query: TokenQuery): Promise<ListPage<ConnectTokenView>> {
    const of = ownerIn(login, query)
    return await readPage<ConnectTokenRow, ConnectTokenView>(
      {
        read: (cursor, limit) => this.#store.listConnectTokens(query, of, cursor, limit),
        cursorOf: ({ created_at, id }) => `${created_at}_${id}`,
        choose: async (row) =>
          this.#isLive(row) && this.#store.isGenuine('connect_tokens', row) ? () => toView(row) : undefined,
      },
      query,
    )
  }

  /** The grant stays active. @throws BrokerError NOT_FOUND also for another's */
  async revoke(login: Login, id: string): Promise<void> {
    const row = await this.#store.connectToken(id)
    const principal = row && (await this.#core.directory.principal(row.principal_id))
    const isMine = row?.principal_id === login.principal.id || (principal && mayManage(login, principal))
    if (!row || !isMine || this.#core.removals.isRemoved(id))
      throw new BrokerError('NOT_FOUND', `no connect token ${id}`)
    await this.#withdraw(row, login)
  }

  /** Revokes the tokens that were issued through an API token. */
  async withdrawIssuedBy(apiTokenId: string, login: Login): Promise<void> {
    for (const row of await this.#store.issuedBy(apiTokenId)) await this.#withdraw(row, login)
  }

  /** The same made-up keys for an unknown id at any time, and for one that no longer counts. */
  async tokenKeys(id: string): Promise<TokenKeys> {
    const { row } = isTokenId(id) ? await this.#signingIn(id) : {}
    return toTokenKeys(await this.#keysOf(row, id))
  }

  /**
   * The refusal of a client that proved to hold a valid token is audited.
   * @throws BrokerError TOKEN_INVALID for anything that is not a valid token; ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE
   */
  async identify(claim: Claim, client: ClientOrigin): Promise<Identity> {
    const id =
      claim.by === 'token' ? parseConnectToken(claim.token) : isTokenId(claim.tokenId) ? claim.tokenId : undefined
    const { row, owner } = id === undefined ? {} : await this.#signingIn(id)
    const isProved = claim.by === 'proof' || isHashOf((await this.#keysOf(row, id ?? '')).hash, claim.token)
    if (!row || !isProved) throw new BrokerError('TOKEN_INVALID')
    const principal = await this.#admit(row, owner, client).catch(async (error: unknown) => {
      await this.#core.audit.appendRemoval(denied(row, client, error))
      throw error
    })
    this.#used.note(row)
    if (await noteUse({ ...this.#core, store: this.#store }, 'connect_tokens', row, client.address))
      this.#signIns.noteUse(row.id)
    return {
      principalId: principal.id,
      name: principal.name,
      credential: { kind: 'connect-token', id: row.id },
      bound: { grantId: row.grant_id, resourceId: row.resource_id, level: row.level },
      expiresAt: row.expires_at,
    }
  }

  async #admit(row: ConnectTokenRow, owner: Principal | undefined, client: ClientOrigin): Promise<Principal> {
    admit({ door: 'token', by: toCredential(row), from: client.address })
    const principal = checkStanding(owner?.id === row.principal_id ? owner : undefined)
    // The API token's maker may be locked, and it is no one's but theirs.
    if (isIssuedByToken(row) && !(await this.#isUsable(row.issued_by))) throw new BrokerError('TOKEN_INVALID')
    return principal
  }

  /** A token by its id; undefined when it may no longer be used. */
  async credential(id: string, read: ReadStanding): Promise<Credential | undefined> {
    const row = await this.#live(id)
    if (!row) return undefined
    const isUsable = isIssuedByToken(row)
      ? await this.#isUsable(row.issued_by) // it acts as the same principal
      : stands(await read(row.principal_id))
    return isUsable ? toCredential(row) : undefined
  }

  /** The login or API token through which it was issued, also when it has expired. @throws BrokerError LOGIN_REQUIRED once it is erased */
  async issuer(id: string): Promise<string> {
    const row = await this.#store.connectToken(id)
    if (row) return row.issued_by
    throw new BrokerError('LOGIN_REQUIRED', 'the connect token has been erased', { hint: 'issue a new one' })
  }

  /** Erases expired tokens and ends their sessions; those of a token that ended with its grant go on when that was extended. */
  async expire(): Promise<void> {
    const deps = { ...this.#core, store: this.#store }
    for (const row of await this.#store.expiredConnectTokens(this.#core.clock.now()))
      if (this.#endedWithGrant(row)) await eraseToken(deps, 'connect_tokens', row)
      else await removeToken(deps, 'connect_tokens', row, expired)
  }

  /** The same of what they opened at this daemon. */
  endExpired(): void {
    const now = this.#core.clock.now()
    for (const row of this.#used.takeExpired(now))
      if (!this.#endedWithGrant(row)) publishRemoval(this.#core, row.id, expired)
    this.#formerEnds = this.#formerEnds.filter(({ at }) => at > now - keptMs)
  }

  #endedWithGrant(row: ConnectTokenRow): boolean {
    return this.#formerEnds.some(({ grantId, at }) => grantId === row.grant_id && at === row.expires_at)
  }

  async #grantFor(login: Login, ask: ConnectTokenAsk): Promise<{ grant: TokenGrant; rule: TokenRule }> {
    const answer = await this.#core.access().check({
      principalId: login.principal.id,
      resource: ask.resource,
      ...(ask.level === undefined ? {} : { level: ask.level }),
      ...(ask.grantId === undefined ? {} : { grantId: ask.grantId }),
    })
    if (answer.allowed) return answer
    throw new BrokerError(answer.code, answer.reason, { hint: answer.hint })
  }

  async #withdraw(row: ConnectTokenRow, login: Login): Promise<void> {
    const why = tokenRevoked('connect token', login.principal.name)
    await removeToken({ ...this.#core, store: this.#store }, 'connect_tokens', row, why)
    await this.#core.audit.appendRemoval(this.#event('connect-token.revoked', login, row))
  }

  async #signingIn(id: string): Promise<SignInRow> {
    const { row, owner } = await this.#signIns.read(id)
    return { row: row && this.#isLive(row) ? row : undefined, owner }
  }

  async #live(id: string): Promise<ConnectTokenRow | undefined> {
    const row = await this.#store.connectToken(id)
    return row && this.#isLive(row) ? row : undefined
  }

  #isLive(row: ConnectTokenRow): boolean {
    const { removals, clock } = this.#core
    if (removals.isRemoved(row.id) || removals.isVoid(row.principal_id, row.created_at)) return false
    return clock.now() < row.expires_at
  }

  /** Both are made either way, so that the time it takes reveals nothing. */
  async #keysOf(row: ConnectTokenRow | undefined, id: string): Promise<ConnectKeys> {
    const madeUp = madeUpKeys(this.#core.keyring, id)
    return row ? unsealKeys(this.#core.keyring, row.id, row.keys) : madeUp
  }

  #event(type: 'connect-token.issued' | 'connect-token.revoked', login: Login, row: Omit<ConnectTokenRow, 'mac'>) {
    const { actor, name } = actorOf(login)
    return {
      type,
      actor,
      fields: {
        token: row.id,
        principal: row.principal_id,
        grant: row.grant_id,
        resource: row.resource_id,
        level: row.level,
        through: row.issued_by,
        cidr: row.cidr,
        expires_at: row.expires_at,
      },
      text: { name },
    }
  }
}

function isIssuedByToken(row: ConnectTokenRow): boolean {
  return row.issued_by.startsWith('api_')
}

/** The person who had it issued passed the rule's step-up, which API tokens can't. */
function toCredential(row: ConnectTokenRow): Credential {
  return {
    via: 'connect-token',
    interactive: !isIssuedByToken(row),
    authenticatedAt: row.created_at,
    acr: null,
    scopes: null,
    cidr: row.cidr,
  }
}

function denied(row: ConnectTokenRow, client: ClientOrigin, error: unknown) {
  const code = error instanceof BrokerError ? error.code : 'INTERNAL'
  return {
    type: 'session.denied' as const,
    actor: row.principal_id,
    fields: {
      token: row.id,
      grant: row.grant_id,
      resource: row.resource_id,
      level: row.level,
      code,
      via: client.via,
    },
    text: { address: client.address },
  }
}

function toView(row: Omit<ConnectTokenRow, 'mac'>): ConnectTokenView {
  return {
    id: row.id,
    principalId: row.principal_id,
    grantId: row.grant_id,
    resourceId: row.resource_id,
    level: row.level,
    cidr: row.cidr,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
  }
}
