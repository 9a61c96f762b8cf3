import type { Config } from '../config/config.ts'
import type { EstateAccount } from './engine/estate.ts'
import type { Inventory } from './inventory.ts'

/**
 * Accounts that may be read: those of the organization, and those of the configuration that the hub may enter. What AWS says of an account
 * goes first.
 */
export function estateAccounts(
  { accounts }: Pick<Config['aws'], 'accounts'>,
  { organization }: Config['inventory'],
  inventory: Pick<Inventory, 'inScope'>,
): EstateAccount[] {
  const known = new Map<string, EstateAccount>()
  for (const [account, { partition, trust }] of Object.entries(accounts))
    known.set(account, { partition, account, isActive: trust === 'hub' })
  for (const { resource } of organization ? inventory.inScope('organization') : []) {
    const { account, partition, attributes } = resource
    if (resource.kind !== 'account' || account === null) continue
    const isActive = attributes.state === 'ACTIVE' && accounts[account]?.trust !== 'web_identity'
    known.set(account, { partition, account, isActive })
  }
  return [...known.values()]
}
