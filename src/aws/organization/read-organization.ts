import { BrokerError } from '../../../proxy/session.ts'
import type { AccountRead, OrganizationCalls, UnitRead } from './organization-calls.ts'
import type { OrganizationPicture, Tags } from './picture.ts'

export interface ReadOptions {
  readonly signal: AbortSignal
  /** `total` where it is known. */
  readonly onProgress?: (progress: ReadProgress) => void
  /**
   * Tags of an account or a unit that are new enough: they are not read again. Tags cost one call for each account and unit, more than
   * everything else together. Left out: all are read.
   */
  readonly knownTags?: (id: string) => Tags | undefined
}

export interface ReadProgress {
  readonly phase: 'units' | 'accounts' | 'parents' | 'tags'
  readonly done: number
  readonly total?: number
}

interface Draft {
  readonly root: string
  readonly units: Map<string, UnitRead & { readonly parent: string }>
  /** Null: not known for certain. */
  readonly accounts: Map<string, AccountRead & { readonly parent: string | null }>
  readonly tags: Map<string, Tags>
}

interface Walk {
  readonly calls: OrganizationCalls
  readonly signal: AbortSignal
  readonly draft: Draft
  progress(phase: ReadProgress['phase'], done: number, total?: number): void
}

/** How often what changed during the walk is looked at again. */
const mostRounds = 4
/** Levels of units below the root, with room for more than AWS allows today. */
const mostLevels = 10

/**
 * Reads all of an organization, or throws. AWS has no snapshot, so accounts and units may move, come and go during the walk: what was
 * seen twice, nowhere, or in a unit that is not known is asked for once more, by itself.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE (also where it changes too fast to be read); the signal's reason
 */
export async function readOrganization(calls: OrganizationCalls, options: ReadOptions): Promise<OrganizationPicture> {
  const { signal, onProgress = () => {}, knownTags = () => undefined } = options
  const { id, managementAccount } = await calls.describe(signal)
  const roots = await calls.roots(signal)
  const [root] = roots
  if (root === undefined || roots.length > 1)
    throw new BrokerError('AWS_UNAVAILABLE', `the organization ${id} has ${roots.length} roots instead of one`)
  const draft: Draft = { root, units: new Map(), accounts: new Map(), tags: new Map() }
  const progress: Walk['progress'] = (phase, done, total) =>
    onProgress({ phase, done, ...(total === undefined ? {} : { total }) })
  const walk: Walk = { calls, signal, draft, progress }
  await readUnits(walk)
  await readAccounts(walk)
  for (let round = 0; round < mostRounds; round += 1) {
    await settle(walk)
    await readTags(walk, knownTags)
    const accounts = placedAccounts(draft)
    if (accounts !== null && unplacedUnits(draft).length === 0) return pictureOf(id, managementAccount, draft, accounts)
  }
  throw new BrokerError('AWS_UNAVAILABLE', `the organization ${id} changes while it is read; try again`)
}

/** Level by level from the root. A unit that is gone when its turn comes is left out with all beneath it. */
async function readUnits({ calls, signal, draft: { root, units }, progress }: Walk): Promise<void> {
  const parents = [root]
  for (const [index, parent] of parents.entries()) {
    const found = await calls.units(parent, signal)
    if (found === null) units.delete(parent)
    for (const unit of found ?? []) {
      if (!units.has(unit.id)) parents.push(unit.id)
      units.set(unit.id, { ...unit, parent })
    }
    progress('units', index + 1, parents.length)
  }
}

/** Where AWS gives the path of every account, the lists of each parent are not needed. */
async function readAccounts(walk: Walk): Promise<void> {
  const { calls, signal, draft, progress } = walk
  const listed = await calls.accounts(signal, (done) => progress('accounts', done))
  for (const account of listed) draft.accounts.set(account.id, { ...account, parent: account.pathParent })
  if (listed.some(({ pathParent }) => pathParent === null)) await readParents(walk)
}

async function readParents({ calls, signal, draft: { root, units, accounts }, progress }: Walk): Promise<void> {
  const parents = [root, ...units.keys()]
  const seen = new Map<string, string | null>()
  for (const [index, parent] of parents.entries()) {
    for (const account of (await calls.accountsIn(parent, signal)) ?? []) {
      const before = seen.get(account.id)
      const isCertain = accounts.has(account.id) && (before === undefined || before === parent)
      seen.set(account.id, isCertain ? parent : null)
      if (!accounts.has(account.id)) accounts.set(account.id, { ...account, parent: null })
    }
    progress('parents', index + 1, parents.length)
  }
  for (const account of accounts.values())
    accounts.set(account.id, { ...account, parent: seen.get(account.id) ?? null })
}

/** Asks where each is that is in no known place. */
async function settle(walk: Walk): Promise<void> {
  const { calls, signal, draft } = walk
  for (const unit of unplacedUnits(draft)) {
    const parent = await calls.parentOf(unit.id, signal)
    if (parent === null) draft.units.delete(unit.id)
    else if (await adopt(walk, parent)) draft.units.set(unit.id, { ...unit, parent })
  }
  for (const account of draft.accounts.values()) {
    if (isParent(draft, account.parent)) continue
    const parent = await calls.parentOf(account.id, signal)
    if (parent === null) draft.accounts.delete(account.id)
    else if (await adopt(walk, parent)) draft.accounts.set(account.id, { ...account, parent })
  }
}

/** Takes a unit that was made during the walk into the picture, with those above it. @returns false: it is gone again */
async function adopt(walk: Walk, id: string, level = 0): Promise<boolean> {
  const { calls, signal, draft } = walk
  if (isParent(draft, id)) return true
  if (level > mostLevels) return false
  const unit = await calls.unit(id, signal)
  const parent = unit && (await calls.parentOf(id, signal))
  if (!unit || !parent || !(await adopt(walk, parent, level + 1))) return false
  draft.units.set(id, { ...unit, parent })
  return true
}

async function readTags(
  { calls, signal, draft, progress }: Walk,
  known: (id: string) => Tags | undefined,
): Promise<void> {
  const { units, accounts, tags } = draft
  const wanted = [...units.keys(), ...accounts.keys()].filter((id) => !tags.has(id))
  for (const [index, id] of wanted.entries()) {
    const found = known(id) ?? (await calls.tags(id, signal))
    if (found) tags.set(id, found)
    else if (!units.delete(id)) accounts.delete(id)
    progress('tags', index + 1, wanted.length)
  }
}

function isParent({ root, units }: Draft, id: string | null): id is string {
  return id !== null && (id === root || units.has(id))
}

function unplacedUnits(draft: Draft) {
  return [...draft.units.values()].filter(({ parent }) => !isParent(draft, parent))
}

/** Null: one is in no known place. */
function placedAccounts(draft: Draft) {
  const placed = [...draft.accounts.values()].flatMap((account) =>
    isParent(draft, account.parent) ? [{ ...account, parent: account.parent }] : [],
  )
  return placed.length === draft.accounts.size ? placed : null
}

function pictureOf(
  id: string,
  managementAccount: string,
  { root, units, tags }: Draft,
  accounts: readonly (AccountRead & { readonly parent: string })[],
): OrganizationPicture {
  const tagsOf = (one: string) => tags.get(one) ?? {}
  return {
    id,
    managementAccount,
    root,
    accounts: accounts.map(({ pathParent: _, ...account }) => ({ ...account, tags: tagsOf(account.id) })).sort(byId),
    units: [...units.values()].map((unit) => ({ ...unit, tags: tagsOf(unit.id) })).sort(byId),
  }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}
