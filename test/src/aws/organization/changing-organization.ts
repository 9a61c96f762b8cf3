import type { AccountRead, OrganizationCalls, UnitRead } from '../../../../src/aws/organization/organization-calls.ts'

/** An organization that others change, between any two pages of any list. */
export interface ChangingOrganization {
  readonly calls: OrganizationCalls
  readonly accounts: ReadonlyMap<string, string>
  readonly units: ReadonlyMap<string, string>
  /** Accounts that were there all the time, and those of them that never moved. */
  readonly constant: { readonly present: ReadonlySet<string>; readonly unmoved: ReadonlySet<string> }
}

export interface ChangingOptions {
  readonly units: number
  readonly accounts: number
  /** 0 to 1, as it is asked for. */
  readonly random: () => number
  /** How likely something changes before a page, and how many changes there are at most. */
  readonly likelihood: number
  readonly mostChanges: number
  /** A test may skip changing. */
  readonly hasPaths: boolean
}

export const root = 'r-ab12'
const pageSize = 2

export function createChangingOrganization(options: ChangingOptions): ChangingOrganization {
  const { random, hasPaths } = options
  const units = new Map<string, string>()
  const accounts = new Map<string, string>()
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)]
  const anyParent = () => pick([root, ...units.keys()]) ?? root
  let made = 0
  const newId = () => String(made++).padStart(8, '0')
  const addUnit = () => {
    const parent = anyParent()
    const depth = (id: string): number => (id === root ? 0 : 1 + depth(units.get(id) ?? root))
    if (depth(parent) < 5) units.set(`ou-ab12-${newId()}`, parent)
  }
  const addAccount = () => accounts.set(newId().padStart(12, '0'), anyParent())
  for (let index = 0; index < options.units; index += 1) addUnit()
  for (let index = 0; index < options.accounts; index += 1) addAccount()
  const present = new Set(accounts.keys())
  const unmoved = new Set(accounts.keys())
  const isEmpty = (unit: string) => ![...accounts.values(), ...units.values()].includes(unit)
  const changes: readonly (() => void)[] = [
    addUnit,
    addAccount,
    () => {
      const account = pick([...accounts.keys()])
      if (account === undefined) return
      accounts.set(account, anyParent())
      unmoved.delete(account)
    },
    () => {
      const account = pick([...accounts.keys()])
      if (account === undefined) return
      accounts.delete(account)
      for (const set of [present, unmoved]) set.delete(account)
    },
    () => {
      const unit = pick([...units.keys()].filter(isEmpty)) // AWS deletes no other
      if (unit !== undefined) units.delete(unit)
    },
  ]
  let changed = 0
  const maybeChange = () => {
    if (changed >= options.mostChanges || random() >= options.likelihood) return
    changed += 1
    pick(changes)?.()
  }
  const pages = (list: () => readonly string[]): string[] => {
    const all: string[] = []
    for (let after = ''; ; ) {
      maybeChange()
      const page = list()
        .filter((id) => id > after)
        .sort()
        .slice(0, pageSize)
      all.push(...page)
      after = page.at(-1) ?? ''
      if (page.length < pageSize) return all
    }
  }
  const exists = (id: string) => id === root || units.has(id)
  const account = (id: string): AccountRead => ({
    id,
    arn: '',
    name: id,
    email: '',
    state: 'ACTIVE',
    joinedAt: 0,
    pathParent: hasPaths ? (accounts.get(id) ?? null) : null,
  })
  const unit = (id: string): UnitRead => ({ id, arn: '', name: id })
  const within = (map: ReadonlyMap<string, string>, parent: string) =>
    [...map].flatMap(([id, one]) => (one === parent ? [id] : []))
  const known = async <T>(has: boolean, answer: () => T): Promise<T | null> => (has ? answer() : null)
  const calls: OrganizationCalls = {
    describe: async () => ({ id: 'o-exampleorgid', managementAccount: '111111111111' }),
    roots: async () => [root],
    units: (parent) => {
      maybeChange()
      return known(exists(parent), () => pages(() => within(units, parent)).map(unit))
    },
    accountsIn: (parent) => {
      maybeChange()
      return known(exists(parent), () => pages(() => within(accounts, parent)).map(account))
    },
    accounts: async () => pages(() => [...accounts.keys()]).map(account),
    parentOf: (child) => {
      maybeChange()
      return known(accounts.has(child) || units.has(child), () => accounts.get(child) ?? units.get(child) ?? root)
    },
    unit: (id) => {
      maybeChange()
      return known(units.has(id), () => unit(id))
    },
    account: (id) => {
      maybeChange()
      return known(accounts.has(id), () => account(id))
    },
    tags: (id) => {
      maybeChange()
      return known(accounts.has(id) || units.has(id), () => ({ id }))
    },
  }
  return { calls, accounts, units, constant: { present, unmoved } }
}
