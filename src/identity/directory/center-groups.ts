import type { Core } from '../core.ts'
import { changed } from './changed.ts'
import { isCenterGroup, parseGroups, readGroups } from './claims.ts'
import { retried } from './retried.ts'

/**
 * Says which groups of Identity Center a person is in; those of the provider stay as they are. What is lost takes effect before it is
 * audited, what is gained after. Unknown principals and service accounts, which hold what their owner holds, are left as they are.
 * @param groups with the prefix `idc:`
 * @throws BrokerError AUDIT_UNAVAILABLE: what is lost has taken effect; STALE after several attempts
 */
export async function setCenterGroups(
  { directory, mutex }: Pick<Core, 'directory' | 'mutex'>,
  id: string,
  groups: readonly string[],
): Promise<void> {
  await mutex.run(id, () =>
    retried(async () => {
      const row = await directory.row(id)
      if (!row || row.kind === 'service') return
      const before = parseGroups(row.groups)
      const full = readGroups([...before.filter((group) => !isCenterGroup(group)), ...groups.filter(isCenterGroup)])
      const narrowed = before.filter((group) => full.includes(group))
      let newest = row
      if (narrowed.length < before.length) {
        const step = directory.next(newest, { groups: JSON.stringify(narrowed) })
        await directory.take(changed(step.row, newest, 'system'), step)
        newest = step.row
        await directory.publishWithOwned(id)
      }
      if (full.length > narrowed.length) {
        const step = directory.next(newest, { groups: JSON.stringify(full) })
        await directory.give(changed(step.row, newest, 'system'), step)
        await directory.publishWithOwned(id)
      }
    }),
  )
}
