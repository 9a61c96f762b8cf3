import type { Identity as Identified } from '../../proxy/doorman.ts'
import type { AuditRecord, Origin } from '../audit/audit.ts'
import type { DirectoryEntry } from '../contract/principals.ts'
import type { ListPage, ListQuery } from '../store/lists.ts'
import { createBackground } from '../telemetry/background.ts'
import { KeyedMutex } from '../telemetry/keyed-mutex.ts'
import type { Credential } from './admission.ts'
import { applyEvent } from './apply.ts'
import type { Core } from './core.ts'
import { setCenterGroups } from './directory/center-groups.ts'
import { Directory } from './directory/directory.ts'
import { lockPrincipal, storeLock, unlockPrincipal } from './directory/lock.ts'
import { loginNameOf, tagClaimsOf } from './directory/login-name.ts'
import { rolesOf, rolesWithin } from './directory/roles.ts'
import {
  acceptServiceAccount,
  createServiceAccount,
  type ServiceAccountAsk,
  withdrawServiceAccount,
} from './directory/service-accounts.ts'
import type { IdentityService } from './identity.ts'
import type { IdentityDeps } from './identity-deps.ts'
import { LoginKeeper } from './logins/login-keeper.ts'
import type { Logins } from './logins/logins.ts'
import { freshIdToken, probeLogins } from './logins/probe-logins.ts'
import type { Login, Principal, ReadStanding } from './principal.ts'
import { recover } from './recover.ts'
import { Removals } from './removals.ts'
import { FailedLogins } from './sign-in/failed-logins.ts'
import { expireOneTimeSecrets } from './sign-in/one-time-secrets.ts'
import { expireRequestCounts } from './sign-in/request-counts.ts'
import { ApiTokens } from './tokens/api-tokens.ts'
import { ConnectTokens } from './tokens/connect-tokens.ts'
import { createTokenStore } from './tokens/token-store.ts'

/** Identity as the API and the composition root use it. */
export interface Identity extends IdentityService {
  readonly logins: Logins
  /** An ID token that the provider gave just now for this login. @throws BrokerError LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  idToken(loginId: string): Promise<string>
  /** The login, or API token, behind a credential: of a connect token, that which issued it. @throws BrokerError LOGIN_REQUIRED once it is erased */
  loginOf(credential: Identified['credential']): Promise<string>
  /** A login or API token as it is now, with the roles of its principal; undefined when it may no longer be used. Does not count as use. */
  loginNow(login: Login): Promise<Login | undefined>
  readonly apiTokens: Pick<ApiTokens, 'create' | 'list' | 'revoke'>
  readonly connectTokens: Pick<ConnectTokens, 'issue' | 'list' | 'revoke'>
  /** For every daemon: what it decided and could not store, and what it alone remembers. Called by its timer. */
  tidy(): Promise<void>
  /** Asks the provider about the logins that are due, which may take long. Called by the daemon's timer. @param signal no more are asked about */
  probe(signal?: AbortSignal): Promise<void>
  /** An event of the log, in the order of the log, from whichever daemon. */
  apply(record: AuditRecord, from: Origin): void
  /** Resolves when what {@link Identity.apply} has begun is done. */
  idle(): Promise<void>
  /** Whether the directory names this person as the manager of another. */
  hasReports(principal: Principal): Promise<boolean>
  /** In the order of ids. */
  principals(query: ListQuery): Promise<ListPage<DirectoryEntry>>
  /** Of principals that are in groups of Identity Center: the names of these, with the prefix `idc:`, by id. */
  inCenterGroups(): Promise<ReadonlyMap<string, readonly string[]>>
  /** Says in which a person is. @throws BrokerError AUDIT_UNAVAILABLE, STALE */
  setCenterGroups(id: string, groups: readonly string[]): Promise<void>
  lock(login: Login, reference: string, why: string): Promise<Principal>
  unlock(login: Login, reference: string, why: string): Promise<Principal>
  createServiceAccount(login: Login, ask: ServiceAccountAsk): Promise<Principal>
  /** Those that this person answers for, in the order of ids. */
  serviceAccounts(login: Login, query: ListQuery): Promise<ListPage<Principal>>
  /** Agrees to one's own service account, or no longer. @throws BrokerError NOT_FOUND */
  acceptServiceAccount(login: Login, reference: string): Promise<Principal>
  withdrawServiceAccount(login: Login, reference: string): Promise<Principal>
}

/** Builds identity, and learns from the audit log what was removed before this daemon started. */
export async function createIdentity(deps: IdentityDeps): Promise<Identity> {
  const removals = new Removals()
  const core: Core = {
    ...{ ...deps, removals, directory: new Directory({ ...deps, removals }) },
    ...{ mutex: new KeyedMutex(), background: createBackground(deps.logger) },
  }
  const failures = new FailedLogins(deps)
  const logins = new LoginKeeper(core, failures)
  const tokens = createTokenStore(deps.db, deps.keyring)
  const isUsable = async (apiTokenId: string) => (await apiTokens.credential(apiTokenId)) !== undefined
  const connectTokens = new ConnectTokens(core, tokens, isUsable)
  const apiTokens = new ApiTokens(core, tokens, (id, by) => connectTokens.withdrawIssuedBy(id, by))
  const locking = { ...core, logins: logins.store, tokens }
  const tidying = sweeper(core, [
    async () => {
      for (const id of removals.unstoredLocks) await storeLock(locking, id)
    },
    async () => {
      for (const [id, table] of removals.undeleted) {
        await (table === 'logins' ? logins.store.delete(id) : tokens.delete(table, id))
        removals.undeleted.delete(id)
      }
    },
    async () => connectTokens.endExpired(),
    async () => apiTokens.endExpired(),
    () => failures.report(),
    async () => removals.forget(deps.clock.now()),
  ])
  const sweeping = sweeper(core, [
    () => logins.expire(),
    () => connectTokens.expire(),
    () => apiTokens.expire(),
    () => expireOneTimeSecrets(deps.db, deps.clock.now()),
    () => expireRequestCounts(deps.db, deps.clock.now()),
  ])
  const probing = sweeper(core, [(signal) => probeLogins(core, logins, signal)])
  await recover(core)
  for (const id of removals.unstoredLocks) await storeLock(locking, id)
  return {
    logins,
    apiTokens,
    connectTokens,
    authenticate: async ({ cookie, bearer, address }) => {
      if (bearer === undefined) return cookie === undefined ? null : await logins.authenticate(cookie, 'web')
      return bearer.startsWith('spa_')
        ? ((await apiTokens.authenticate(bearer, address)) ?? (await logins.authenticate(bearer, 'cli')))
        : await logins.authenticate(bearer, 'cli')
    },
    principal: (id) => core.directory.principal(id),
    loginName: (id) => loginNameOf(core, id),
    tagClaims: (id) => tagClaimsOf(core, id),
    findPrincipal: (reference) => core.directory.find(reference),
    idToken: (loginId) => freshIdToken(core, logins, loginId),
    loginOf: async ({ kind, id }) => (kind === 'connect-token' ? await connectTokens.issuer(id) : id),
    loginNow: async (login) => {
      const { id, via, scopes } = login
      const credential = await (via === 'api-token' ? apiTokens : logins).credential(id)
      const principal = credential && (await core.directory.principal(login.principal.id))
      if (!credential || !principal) return undefined
      const roles = rolesOf(principal, deps.config)
      return { ...login, ...credential, via, principal, roles: scopes ? rolesWithin(roles, scopes) : roles }
    },
    credential: (reference, read = (id) => core.directory.standing(id)) =>
      credentialOf(reference, { logins, apiTokens, connectTokens }, read),
    tokenKeys: (id) => connectTokens.tokenKeys(id),
    identify: (claim, client) => connectTokens.identify(claim, client),
    sweep: () => sweeping(),
    probe: probing,
    tidy: tidying,
    apply: (record, from) => applyEvent(core, record, from),
    idle: () => core.background.idle(),
    hasReports: (principal) => core.directory.hasReports(principal),
    principals: async (query) => {
      const page = await core.directory.page(query)
      const ids = page.items.map(({ id }) => id)
      const unprobed = await logins.store.countUnprobed(ids, deps.clock.now())
      const items = page.items.map((principal) => ({
        ...principal,
        roles: rolesOf(principal, deps.config),
        unprobedLogins: unprobed.get(principal.id) ?? 0,
      }))
      return { ...page, items }
    },
    inCenterGroups: () => core.directory.inCenterGroups(),
    setCenterGroups: (id, groups) => setCenterGroups(core, id, groups),
    lock: (login, reference, why) => lockPrincipal(locking, login, reference, why),
    unlock: (login, reference, why) => unlockPrincipal(locking, login, reference, why),
    createServiceAccount: (login, ask) => createServiceAccount(core, login, ask),
    serviceAccounts: (login, query) => core.directory.page({ ...query, ownerId: login.principal.id }),
    acceptServiceAccount: (login, reference) => acceptServiceAccount(core, login, reference),
    withdrawServiceAccount: (login, reference) => withdrawServiceAccount(core, login, reference),
  }
}

function credentialOf(
  { kind, id }: Identified['credential'],
  by: { logins: LoginKeeper; apiTokens: ApiTokens; connectTokens: ConnectTokens },
  read: ReadStanding,
): Promise<Credential | undefined> {
  switch (kind) {
    case 'login':
      return by.logins.credential(id)
    case 'api-token':
      return by.apiTokens.credential(id)
    case 'connect-token':
      return by.connectTokens.credential(id, read)
  }
}

/** Each step on its own, so that one that fails does not stop the others; never two rounds at once. */
function sweeper(
  core: Core,
  steps: readonly ((signal?: AbortSignal) => Promise<void>)[],
): (signal?: AbortSignal) => Promise<void> {
  let round: Promise<void> | undefined
  const run = async (signal?: AbortSignal) => {
    for (const step of steps) {
      await step(signal).catch((error: unknown) =>
        core.logger.error({ err: error }, 'part of the identity sweep failed'),
      )
    }
  }
  return (signal) => {
    round ??= run(signal).finally(() => {
      round = undefined
    })
    return round
  }
}
