import { type Static, Type } from 'typebox'

/** What AWS shows of a database beside the way to it. */
export interface SeenDatabase {
  /** `aurora-postgresql 16.4` */
  readonly engine: string
  /** `available`, `stopped` … */
  readonly status: string
  /** Of a cluster, the writer first. */
  readonly members: readonly string[]
  /** The authority that its certificate is of: `rds-ca-rsa2048-g1`; null: not known. */
  readonly authority: string | null
  /** IAM authentication is on; null: not known. */
  readonly hasIam: boolean | null
}

/** Attributes that are discovered alone. */
export const seenMembers = {
  engine: Type.Optional(Type.String()),
  status: Type.Optional(Type.String()),
  iam: Type.Optional(Type.Boolean()),
  members: Type.Optional(Type.Array(Type.String())),
  authority: Type.Optional(Type.String()),
}

const attributes = Type.Object(seenMembers)

/** Null: it is written by hand alone. */
export function seenOf(found: Static<typeof attributes>): SeenDatabase | null {
  const { engine, status, members = [], authority = null, iam = null } = found
  return engine === undefined || status === undefined ? null : { engine, status, members, authority, hasIam: iam }
}

/** For lists. */
export function shownFacts(seen: SeenDatabase | null): Record<string, string> {
  if (seen === null) return {}
  const { engine, status, members } = seen
  return { engine, status, ...(members.length === 0 ? {} : { members: members.join(', ') }) }
}
