/** principal + resource + level + a time window, from one request under one rule revision. Data only. */
export interface Grant {
  readonly id: string
  readonly requestId: string
  readonly principalId: string
  readonly resourceId: string
  readonly kind: string
  readonly level: string
  /** Epoch milliseconds; live in [startsAt, endsAt). */
  readonly startsAt: number
  readonly endsAt: number
  readonly ruleName: string
  /** Digest of the terms under which it was given: the rule, and what the level meant on this resource. */
  readonly ruleDigest: string
  readonly state: 'active' | 'expired' | 'revoked' | 'returned'
  readonly endedAt: number | null
  readonly endReason: string | null
}

export function isLive(grant: Grant, now: number): boolean {
  return grant.state === 'active' && grant.startsAt <= now && now < grant.endsAt
}

/** Shortens a grant. Never lengthens it: a later `endsAt` is ignored. @param endsAt epoch milliseconds */
export function narrow<G extends Grant>(grant: G, endsAt: number): G {
  return endsAt >= grant.endsAt ? grant : { ...grant, endsAt: Math.max(endsAt, grant.startsAt) }
}
