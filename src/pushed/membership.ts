import { createHash } from 'node:crypto'

/**
 * One person's direct place in something of AWS that AWS itself keeps: a permission set in an account, or a group. By immutable ids, so
 * that what is renamed stays the same, and what is made anew under a name is another one.
 */
export interface Membership {
  /** Name of the kind of resource. */
  readonly kind: string
  /** Where Identity Center has its home. */
  readonly region: string
  /** ARN of the instance, or id of the identity store. */
  readonly instance: string
  /** Null where it is in no account. */
  readonly account: string | null
  /** ARN of the permission set, or id of the group. */
  readonly what: string
  /** In the identity store. */
  readonly userId: string
}

/** The same for the same membership, whatever region it is asked in. */
export function keyOf({ kind, account, what, userId }: Membership): string {
  return [kind, ...(account === null ? [] : [account]), what, userId].join(' ')
}

/** Short, for people; the same for the same membership. */
export function idOf(membership: Membership): string {
  return `psh_${createHash('sha256').update(keyOf(membership)).digest('hex').slice(0, 16)}`
}

/** AWS changes one of these at a time: a permission set in an account, or a group. */
export function placeOf({ kind, account, what }: Membership): string {
  return [kind, account ?? '', what].join(' ')
}
