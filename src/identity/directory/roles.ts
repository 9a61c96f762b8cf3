import type { Config } from '../../config/config.ts'
import type { Principal, Role, Scope } from '../principal.ts'

export type RoleGroups = Pick<Config['oidc'], 'adminGroups' | 'auditorGroups'>

/** Everyone is a user; the other roles follow from groups. An admin is not automatically an auditor: reading recordings is a separate permission. */
export function rolesOf(principal: Pick<Principal, 'groups'>, config: RoleGroups): readonly Role[] {
  const isIn = (groups: readonly string[]) => principal.groups.some((group) => groups.includes(group))
  return [
    'user',
    ...(isIn(config.auditorGroups) ? ['auditor' as const] : []),
    ...(isIn(config.adminGroups) ? ['admin' as const] : []),
  ]
}

/** An API token has the roles of its principal only as far as its scopes reach. */
export function rolesWithin(roles: readonly Role[], scopes: readonly Scope[]): readonly Role[] {
  return roles.filter(
    (role) =>
      role === 'user' ||
      (role === 'admin' && scopes.includes('admin')) ||
      (role === 'auditor' && scopes.includes('audit')),
  )
}
