import { createHash } from 'node:crypto'
import { keyOf } from './membership.ts'
import { isOurs, type Push, type Want } from './push.ts'
import type { Wants } from './reconcile-ports.ts'

/** Of a membership that grants wanted for longer: someone, or something, has ended them. */
export function isEarlyRemoval(push: Push, want: Want | undefined, now: number): boolean {
  return want === undefined && push.state !== 'removing' && isOurs(push) && push.wantedUntil > now
}

/** What would be removed early if all of it went at once. @param open pushes that are not gone */
export function earlyRemovals(open: Iterable<Push>, { byKey, unclear }: Wants, now: number): Push[] {
  return [...open].filter(
    (push) => !unclear.has(push.membership.userId) && isEarlyRemoval(push, byKey.get(keyOf(push.membership)), now),
  )
}

/** Of a list of pushes, in whatever order: another list has another one. 32 hexadecimal digits. */
export function digestOf(pushes: readonly Push[]): string {
  const keys = pushes.map(({ membership }) => keyOf(membership)).sort()
  return createHash('sha256').update(JSON.stringify(keys)).digest('hex').slice(0, 32)
}
