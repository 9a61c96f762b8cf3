import type { Access } from '../access/access.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import { policiesOf } from '../aws/policies/table.ts'
import { type Kinds, kindNamed, policyValuesFor, pushedValuesOf } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Identity } from '../identity/create-identity.ts'
import { rolesOf } from '../inventory/account-check.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { checkAccountWhole, type KnownAccount, type OrganizationPlace } from './account-checks.ts'
import { checkHub } from './hub-checks.ts'
import type { Needs } from './needs.ts'
import type { Approver } from './rule-checks.ts'
import { createValidationStore } from './validation-store.ts'
import { Validations, type ValidationsDeps } from './validations.ts'

interface Deps {
  readonly access: Access
  readonly audit: AuditLog
  readonly aws: Aws
  readonly clock: Clock
  readonly config: Config
  readonly db: Db
  readonly identity: Pick<Identity, 'idToken' | 'principals'>
  readonly kindModules: Kinds
  readonly leader: Leadership
  readonly logger: Logger
  readonly metrics: Metrics
  readonly checkerOf: ValidationsDeps['checkerOf']
  /** As it is set now; null: it is not. */
  identityCenterRegion(): string | null
  /** Of policies, as the installation needs them now. */
  features(): readonly string[]
}

export function createValidations(deps: Deps) {
  const { access, aws, clock, config, identity, kindModules, metrics } = deps
  const store = createValidationStore(deps.db)
  const table = policiesOf(kindModules)
  const needs = keptFor(needsMs, clock, (): Needs => {
    const values = policyValuesFor(kindModules, access.resourcesKnown(), (entry) => access.levelsOf(entry).values())
    const pushable = pushedValuesOf(kindModules, access.resourcesKnown())
    return { table, features: deps.features(), values, pushable, config: config.aws }
  })
  const validations = new Validations({
    ...deps,
    store,
    accounts: () => accountsOf(deps),
    people: () => approvers(identity),
    checkHub: (signal) => {
      const identityCenterRegion = deps.identityCenterRegion() ?? config.aws.regions[0] ?? 'us-east-1'
      return checkHub({ aws, clock, config: config.aws, metrics, needs: needs(), identityCenterRegion, signal })
    },
    checkAccount: (account, login, signal) => {
      const own = access.resourcesKnown().filter((entry) => entry.account === account.id)
      const idToken = () =>
        login ? identity.idToken(login.id) : Promise.reject(new Error('nobody asks whose ID token it would be'))
      const parts = { aws, config: config.aws, metrics, needs: needs(), signal, idToken }
      return checkAccountWhole(
        parts,
        account,
        rolesOf(own, kindModules, (entry) => access.levelsOf(entry)),
      )
    },
  })
  return {
    store,
    validations,
    chores: [
      {
        what: 'validations',
        everyMs: 5000,
        per: 'installation',
        run: (signal: AbortSignal) => validations.runDue(signal),
      },
      { what: 'count of failing validations', everyMs: 60_000, per: 'daemon', run: () => validations.count() },
    ] as const,
  }
}

/** Those under aws.accounts, and the accounts that are discovered. */
function accountsOf({ access, config, kindModules }: Deps): Omit<KnownAccount, 'wasGood'>[] {
  const written = config.aws.accounts
  const discovered = new Map(
    access.resourcesKnown().flatMap((entry) => {
      const seen = accountSeen(kindModules, entry)
      return seen === undefined ? [] : [[entry.name, seen] as const]
    }),
  )
  const [known] = discovered.values()
  const ids = [...new Set([...Object.keys(written), ...discovered.keys()])].sort()
  return ids.map((id) => ({
    id,
    isWritten: id in written,
    needsPerson: written[id]?.trust === 'web_identity',
    organization: known ? (discovered.get(id) ?? { ...elsewhere, id: known.id }) : null,
  }))
}

const elsewhere = { state: null, title: null, unit: null, path: null } as const

/** A discovered account; undefined: it is none. */
function accountSeen(kinds: Kinds, entry: CatalogEntry): OrganizationPlace | undefined {
  const { kind, organization: id, place, source, target } = entry
  if (source !== 'discovery') return undefined
  const node = kindNamed(kinds, kind)?.node?.(target)
  if (!node?.isAccount) return undefined
  return { id, state: node.state ?? 'ACTIVE', title: node.title, unit: node.parent, path: place?.path ?? null }
}

/** The levels of every resource are gone through for them. */
const needsMs = 60_000

function keptFor<T>(ms: number, clock: Clock, make: () => T): () => T {
  let kept: { readonly value: T; readonly until: number } | undefined
  return () => {
    if (kept === undefined || clock.now() >= kept.until) kept = { value: make(), until: clock.now() + ms }
    return kept.value
  }
}

/** More are not looked at. */
const mostPeople = 20_000

async function approvers({ principals }: Pick<Identity, 'principals'>): Promise<Approver[]> {
  const found: Approver[] = []
  let cursor: string | undefined
  do {
    const page = await principals({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.items.filter(({ kind, active, lockedAt }) => kind === 'person' && active && lockedAt === null))
    cursor = page.next ?? undefined
  } while (cursor !== undefined && found.length < mostPeople)
  return found
}
