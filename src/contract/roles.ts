export const roles = ['user', 'auditor', 'admin'] as const
export type Role = (typeof roles)[number]

/** What an API token may be used for. */
export const scopes = ['read', 'request', 'connect', 'audit', 'admin'] as const
export type Scope = (typeof scopes)[number]
