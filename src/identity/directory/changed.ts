import type { Unsigned } from '../signed-rows.ts'
import { isCenterGroup, isSameLoginName, parseGroups, readGroups } from './claims.ts'

/** Those that the provider gives, and those of Identity Center, of which it says nothing; as JSON. */
export function groupsOf(given: readonly string[], before: readonly string[]): string {
  const own = given.filter((group) => !isCenterGroup(group))
  return JSON.stringify(readGroups([...own, ...before.filter(isCenterGroup)]))
}

/** Rules match groups, so the chain keeps them; e-mail and manager are personal. */
export function changed(row: Unsigned<'principals'>, before: Unsigned<'principals'>, actor = row.id) {
  const had = new Set(parseGroups(before.groups))
  const has = new Set(parseGroups(row.groups))
  return {
    type: 'principal.changed' as const,
    actor,
    fields: {
      principal: row.id,
      active: row.active === 1,
      groups_added: [...has].filter((group) => !had.has(group)),
      groups_removed: [...had].filter((group) => !has.has(group)),
      email_changed: row.email_key !== before.email_key || row.email_verified !== before.email_verified,
      manager_changed: row.manager !== before.manager,
      login_name_changed: !isSameLoginName(row, before),
      version: row.version,
    },
  }
}
