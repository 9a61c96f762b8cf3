import { BrokerError } from '../../../proxy/session.ts'
import { type ApiTokenView, longestApiTokenMs } from '../../contract/tokens.ts'
import { type ListPage, readPage } from '../../store/lists.ts'
import { admit, type Credential } from '../admission.ts'
import { actorOf, type Core, checkStanding, mayManage, stands } from '../core.ts'
import { rolesOf, rolesWithin } from '../directory/roles.ts'
import { findOwn } from '../directory/service-accounts.ts'
import { tokenRevoked } from '../end-texts.ts'
import type { Login, Principal, Scope, Standing } from '../principal.ts'
import { readCidr } from './cidr.ts'
import { noteUse, publishRemoval, removeToken } from './remove-token.ts'
import { hashSecret, isHashOf, mintApiToken, parseApiToken } from './token-format.ts'
import { type ApiTokenRow, ownerIn, type TokenQuery, type TokenStore } from './token-store.ts'
import { UsedTokens } from './used-tokens.ts'

const mostPerPrincipal = 200
const expired = { reason: 'token-revoked', text: 'the API token has expired' } as const
/** Compared with when there is no such token, so that both cases do the same work. */
const unknownHash = '0'.repeat(64)

export interface ApiTokenAsk {
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly durationMs: number
  readonly cidr?: string
  /** Id or name of a service account; omitted: the token acts as its creator. */
  readonly serviceAccount?: string
}

/** Scoped, expiring tokens for programs that act as a person or a service account. */
export class ApiTokens {
  readonly #core: Core
  readonly #store: TokenStore
  /** Revokes the connect tokens that were issued through an API token. */
  readonly #withdrawIssued: (apiTokenId: string, by: Login) => Promise<void>

  readonly #used = new UsedTokens<ApiTokenRow>()

  constructor(core: Core, store: TokenStore, withdrawIssued: (apiTokenId: string, by: Login) => Promise<void>) {
    this.#core = core
    this.#store = store
    this.#withdrawIssued = withdrawIssued
  }

  /**
   * @returns `token`, never shown again
   * @throws BrokerError INTERACTIVE_REQUIRED, ROLE_REQUIRED (a scope beyond one's role), NOT_FOUND, AUDIT_UNAVAILABLE
   */
  async create(login: Login, ask: ApiTokenAsk): Promise<{ token: string; view: ApiTokenView }> {
    admit({ door: 'api-token', by: login })
    const principal = await this.#actsAs(login, ask.serviceAccount)
    checkScopes(login, ask.scopes)
    const cidr = ask.cidr === undefined ? null : readCidr(ask.cidr)
    if (!(ask.durationMs > 0 && ask.durationMs <= longestApiTokenMs))
      throw new BrokerError('INVALID_INPUT', 'the lifetime of a token is one year at most')
    if (principal.ownerId !== null && !principal.active)
      throw new BrokerError('PRINCIPAL_INACTIVE', `you have not accepted the service account ${principal.name}`, {
        hint: `run: sallyport service-accounts accept ${principal.name}`,
      })
    return await this.#core.mutex.run(principal.id, async () => {
      checkStanding(await this.#core.directory.principal(principal.id))
      checkStanding(await this.#core.directory.principal(login.principal.id))
      if ((await this.#store.apiTokensOf(principal.id)).length >= mostPerPrincipal)
        throw new BrokerError(
          'RATE_LIMITED',
          `you have reached the limit of ${mostPerPrincipal} API tokens; revoke some first`,
        )
      const { id, token } = mintApiToken()
      const now = this.#core.clock.now()
      const row = {
        id,
        principal_id: principal.id,
        created_by: login.principal.id,
        name: ask.name,
        scopes: JSON.stringify([...new Set(ask.scopes)].sort()),
        cidr,
        secret_hash: hashSecret(token),
        created_at: now,
        expires_at: now + ask.durationMs,
        last_used_at: null,
        last_used_from: null,
      }
      const { actor, name } = actorOf(login)
      const event = {
        type: 'token.created',
        actor,
        fields: { token: id, principal: principal.id, scopes: ask.scopes, cidr, expires_at: row.expires_at },
        text: { name, token_name: ask.name },
      } as const
      await this.#core.audit.append(event, [this.#store.insertionOfApi(row)])
      return { token, view: toView(row) }
    })
  }

  /** One's own and those of one's service accounts; an admin may see all. */
  async list(login: Login, query: TokenQuery): Promise<ListPage<ApiTokenView>> {
    const now = this.#core.clock.now()
    const of = ownerIn(login, query)
    return await readPage<ApiTokenRow, ApiTokenView>(
      {
        read: (cursor, limit) => this.#store.listApiTokens(query, of, cursor, limit),
        cursorOf: ({ id }) => id,
        choose: async (row) =>
          this.#isLive(row, now) && this.#store.isGenuine('api_tokens', row) ? () => toView(row) : undefined,
      },
      query,
    )
  }

  /** @throws BrokerError NOT_FOUND also for another's */
  async revoke(login: Login, id: string): Promise<void> {
    const row = await this.#store.apiToken(id)
    const principal = row && (await this.#core.directory.principal(row.principal_id))
    const isMine = row?.created_by === login.principal.id || (principal && mayManage(login, principal))
    if (!row || !isMine || this.#core.removals.isRemoved(id)) throw new BrokerError('NOT_FOUND', `no token ${id}`)
    const { actor, name } = actorOf(login)
    await removeToken({ ...this.#core, store: this.#store }, 'api_tokens', row, tokenRevoked('API token', name))
    await this.#withdrawIssued(id, login)
    await this.#core.audit.appendRemoval({
      type: 'token.revoked',
      actor,
      fields: { token: id, principal: row.principal_id, expires_at: row.expires_at },
      text: { name, token_name: row.name },
    })
  }

  /**
   * @returns null for anything but a live token
   * @throws BrokerError ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE, once the secret is proved
   */
  async authenticate(text: string, address: string): Promise<Login | null> {
    const id = parseApiToken(text)
    const row = id === undefined ? undefined : await this.#store.apiToken(id)
    const isSecret = isHashOf(row?.secret_hash ?? unknownHash, text)
    if (!row || !isSecret || !this.#isLive(row, this.#core.clock.now())) return null
    const principal = checkStanding(await this.#core.directory.principal(row.principal_id))
    if (!isOf(row, principal)) throw new BrokerError('TOKEN_INVALID')
    const login = this.#toLogin(row, principal)
    admit({ door: 'token', by: login, from: address })
    this.#used.note(row)
    await noteUse({ ...this.#core, store: this.#store }, 'api_tokens', row, address)
    return login
  }

  /** A token by its id; undefined when it may no longer be used. */
  async credential(id: string): Promise<Credential | undefined> {
    const row = await this.#store.apiToken(id)
    if (!row || !this.#isLive(row, this.#core.clock.now())) return undefined
    const principal = await this.#core.directory.standing(row.principal_id)
    return stands(principal) && isOf(row, principal) ? toCredential(row) : undefined
  }

  #toLogin(row: ApiTokenRow, principal: Principal): Login {
    const { scopes, ...credential } = toCredential(row)
    const roles = rolesWithin(rolesOf(principal, this.#core.config), scopes)
    return { ...credential, scopes, id: row.id, principal, roles, expiresAt: row.expires_at }
  }

  /** Erases expired tokens and ends their sessions. */
  async expire(): Promise<void> {
    for (const row of await this.#store.expiredApiTokens(this.#core.clock.now()))
      await removeToken({ ...this.#core, store: this.#store }, 'api_tokens', row, expired)
  }

  /** Ends what expired tokens opened at this daemon. */
  endExpired(): void {
    for (const { id } of this.#used.takeExpired(this.#core.clock.now())) publishRemoval(this.#core, id, expired)
  }

  #isLive(row: ApiTokenRow, now: number): boolean {
    const { removals } = this.#core
    const isStale = [row.principal_id, row.created_by].some((id) => removals.isVoid(id, row.created_at))
    return now < row.expires_at && !isStale && !removals.isRemoved(row.id)
  }

  async #actsAs(login: Login, serviceAccount: string | undefined): Promise<Principal> {
    if (serviceAccount === undefined) return login.principal
    return await findOwn(this.#core, login, serviceAccount)
  }
}

/** A service account acts for its owner alone. */
function isOf(row: ApiTokenRow, { ownerId }: Standing): boolean {
  return row.created_by === (ownerId ?? row.principal_id)
}

function toCredential(row: ApiTokenRow) {
  return {
    via: 'api-token',
    interactive: false,
    authenticatedAt: row.created_at,
    acr: null,
    scopes: JSON.parse(row.scopes) as Scope[],
    cidr: row.cidr,
  } as const satisfies Credential
}

/** A token can't have more rights than its creator. */
function checkScopes(login: Login, scopes: readonly Scope[]): void {
  if (scopes.length === 0) throw new BrokerError('INVALID_INPUT', 'scopes: name at least one')
  if (scopes.includes('admin') && !login.roles.includes('admin'))
    throw new BrokerError('ROLE_REQUIRED', 'the scope admin needs the role admin')
  if (scopes.includes('audit') && !login.roles.includes('auditor'))
    throw new BrokerError('ROLE_REQUIRED', 'the scope audit needs the role auditor')
}

function toView(row: Omit<ApiTokenRow, 'mac'>): ApiTokenView {
  return {
    id: row.id,
    principalId: row.principal_id,
    createdBy: row.created_by,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Scope[],
    cidr: row.cidr,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
  }
}
