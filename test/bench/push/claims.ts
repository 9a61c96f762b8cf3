import { keyOf, type Membership } from '../../../src/pushed/membership.ts'

/** A grant of one membership; instants are epoch milliseconds. */
export interface Claim {
  readonly membership: Membership
  readonly key: string
  readonly id: string
  readonly startsAt: number
  readonly endsAt: number
}

const minute = 60_000

/** Each of another person, for 5 to 15 minutes: every other one of a thousand pairs of set and account, the others of a hundred groups. */
export function claimsIn(count: number, spreadMs: number, now: number): Claim[] {
  return Array.from({ length: count }, (_, index) => {
    const isSet = index % 2 === 0
    const half = index >> 1
    const membership: Membership = {
      kind: isSet ? 'permission-set' : 'identity-center-group',
      region: 'eu-west-1',
      instance: isSet ? 'arn:aws:sso:::instance/ssoins-1' : 'd-1',
      account: isSet ? String(half % 20).padStart(12, '0') : null,
      what: isSet ? `arn:aws:sso:::permissionSet/ssoins-1/ps-${(half >> 2) % 50}` : `group-${half % 100}`,
      userId: `user-${index}`,
    }
    const startsAt = now + Math.floor((index * spreadMs) / count)
    const endsAt = startsAt + 5 * minute + ((index * 7919) % (10 * minute))
    return { membership, key: keyOf(membership), id: `grt_${index}`, startsAt, endsAt }
  })
}

/** How long AWS works at a change: 2 to 6 s; at every fortieth, the first of a set in its account, 20 s. */
export function workMs(index: number): number {
  return index % 40 === 0 ? 20_000 : 2000 + ((index * 7919) % 4000)
}
