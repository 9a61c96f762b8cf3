import type { CatalogEntry } from '../catalog/resource.ts'
import { keyOf, type Membership } from './membership.ts'
import type { Want } from './push.ts'
import type { Pusher } from './pusher.ts'
import type { Wants } from './reconcile-ports.ts'

/** What of a live grant counts here. */
export interface LiveGrant {
  readonly id: string
  readonly principalId: string
  readonly resourceId: string
  readonly targetId: string | null
  readonly kind: string
  readonly endsAt: number
}

export interface WantsDeps {
  /** Those of kinds that are written to AWS. */
  grants(): readonly LiveGrant[]
  resource(id: string): CatalogEntry | undefined
  pusherOf(kind: string): Pick<Pusher, 'membership'> | undefined
  /** The user that a person is. Null: none. `unclear`: who it was last, when that cannot be trusted now. */
  userOf(principalId: string): UserOf
}

export type UserOf = { readonly id: string } | { readonly unclear: string } | null

/** Why a grant wants nothing that is known, in words for its holder. */
export interface Unknown {
  readonly problem: string
}

/** What live grants want together: the union by membership. */
export function wantsOf(deps: WantsDeps): Wants {
  const byKey = new Map<string, Want>()
  const unclear = new Set<string>()
  for (const grant of deps.grants()) {
    const user = deps.userOf(grant.principalId)
    if (user === null) continue
    if ('unclear' in user) {
      unclear.add(user.unclear)
      continue
    }
    const membership = membershipOf(deps, grant, user.id)
    if ('problem' in membership) {
      unclear.add(user.id)
      continue
    }
    const key = keyOf(membership)
    const known = byKey.get(key)
    byKey.set(key, {
      membership,
      until: Math.max(known?.until ?? 0, grant.endsAt),
      grants: [...(known?.grants ?? []), grant.id],
    })
  }
  return { byKey, unclear }
}

/** What one grant wants, for that user. */
export function membershipOf(
  { resource, pusherOf }: Pick<WantsDeps, 'resource' | 'pusherOf'>,
  grant: LiveGrant,
  userId: string,
): Membership | Unknown {
  const entry = resource(grant.resourceId)
  if (!entry) return { problem: `${grant.resourceId} is not in the catalog now` }
  if (grant.targetId !== null && grant.targetId !== entry.targetId)
    return { problem: `${grant.resourceId} is another resource now` }
  const pusher = pusherOf(grant.kind)
  if (!pusher) return { problem: `the kind ${grant.kind} is not written to AWS` }
  try {
    return pusher.membership({ resource: entry, target: entry.target }, userId)
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
