import type { OrganizationCalls } from './organization-calls.ts'
import type { AccountSeen, OrganizationPicture, UnitSeen } from './picture.ts'

/**
 * One account or unit, where it stands now, with its tags: three calls.
 * @param id 12 digits, or `ou-…` @returns it alone; empty: it is gone
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason
 */
export async function readNode(
  calls: OrganizationCalls,
  id: string,
  signal: AbortSignal,
): Promise<Pick<OrganizationPicture, 'accounts' | 'units'>> {
  const isAccount = /^\d{12}$/.test(id)
  const account = isAccount ? await placed(calls, await calls.account(id, signal), signal) : null
  const unit = isAccount ? null : await placed(calls, await calls.unit(id, signal), signal)
  return { accounts: account ? [withoutPath(account)] : [], units: unit ? [unit] : [] }
}

async function placed<T extends { readonly id: string }>(
  calls: OrganizationCalls,
  found: T | null,
  signal: AbortSignal,
): Promise<(T & Pick<UnitSeen, 'parent' | 'tags'>) | null> {
  const parent = found && (await calls.parentOf(found.id, signal))
  const tags = parent === null ? null : await calls.tags(found?.id ?? '', signal)
  return found && parent !== null && tags ? { ...found, parent, tags } : null
}

function withoutPath({ pathParent: _, ...account }: AccountSeen & { readonly pathParent: string | null }): AccountSeen {
  return account
}
