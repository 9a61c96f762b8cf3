/** The accounts, users and roles that the double pretends to be: plain data, read at each call, so tests may change it. */
export interface World {
  organizationId: string
  /** Regions whose endpoints exist; a credential scope must name one. */
  regions: string[]
  users: User[]
  roles: Role[]
}

/** A principal with long-term keys. */
export interface User {
  arn: string
  /** AIDA… */
  userId: string
  accessKeyId: string
  secretAccessKey: string
  policies: PolicyDocument[]
  tags: Record<string, string>
}

export interface Role {
  /** With its path. */
  arn: string
  /** AROA… */
  roleId: string
  trust: PolicyDocument
  policies: PolicyDocument[]
  /** Permissions boundary. */
  boundary?: PolicyDocument
  /** 3600–43200. */
  maxSessionSeconds: number
  tags: Record<string, string>
}

/** A policy as it is written; `parsePolicy` judges it. */
export type PolicyDocument = Readonly<Record<string, unknown>>

/** Account of `arn:partition:service:region:ACCOUNT:rest`. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? ''
}

export function findRole(world: World, arn: string): Role | undefined {
  return world.roles.find((role) => role.arn === arn)
}
