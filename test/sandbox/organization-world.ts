import type { Organization, OrganizationAccount, OrganizationUnit } from './aws/world.ts'
import { accounts } from './default-world.ts'

export const root = 'r-ab12'
export const units = {
  production: 'ou-ab12-11111111',
  payments: 'ou-ab12-22222222',
  sandbox: 'ou-ab12-33333333',
} as const
/** Suspended, and with a name that needs care. */
export const closedShop = '000000000012'

/** The organization of the sandbox's accounts: three units in two levels. */
export function createOrganization(): Organization {
  return {
    managementAccount: accounts.hub,
    root,
    units: [
      unit(units.production, 'Production', root, { 'sallyport:managed': 'true' }),
      unit(units.payments, 'Payments & "Cards"', units.production),
      unit(units.sandbox, 'Sandbox', root),
    ],
    accounts: [
      account(accounts.hub, 'management', root),
      account(accounts.data, 'data', units.payments, { team: 'payments', 'cost center': '42' }),
      account(accounts.web, 'web', units.production),
      { ...account(closedShop, "shop, O'Neil & Söhne", units.sandbox), state: 'SUSPENDED' },
    ],
    delegatedAdministrators: {},
    pageSize: 20,
    hasEmptyPages: false,
    hasPaths: false,
  }
}

/** @param number of units and accounts beneath the root, at most five levels deep */
export function createLargeOrganization(number: { units: number; accounts: number }): Organization {
  const ids = Array.from({ length: number.units }, (_, index) => `ou-ab12-${String(index).padStart(8, '0')}`)
  const levelOf = (index: number): number => (index < 4 ? 1 : 1 + levelOf(Math.floor(index / 4) - 1))
  const parentOf = (index: number) => (levelOf(index) === 1 ? root : (ids[Math.floor(index / 4) - 1] ?? root))
  return {
    ...createOrganization(),
    units: ids.map((id, index) => unit(id, `unit ${index}`, parentOf(index), { number: String(index) })),
    accounts: [
      account(accounts.hub, 'management', root),
      ...Array.from({ length: number.accounts - 1 }, (_, index) =>
        account(String(200_000_000_000 + index), `account ${index}`, ids[index % ids.length] ?? root),
      ),
    ],
  }
}

function unit(id: string, name: string, parent: string, tags: Record<string, string> = {}): OrganizationUnit {
  return { id, name, parent, tags }
}

function account(id: string, name: string, parent: string, tags: Record<string, string> = {}): OrganizationAccount {
  const joinedAt = Date.parse('2024-03-01T09:30:00Z')
  return { id, name, email: `aws+${id}@example.com`, state: 'ACTIVE', joinedAt, parent, tags }
}
