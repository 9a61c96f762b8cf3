import type { MeaningLine } from '../../catalog/kind.ts'
import type { GroupTarget } from './target.ts'

/** What being in a group gives. What is not discovered is left out. */
export function groupMeans(
  _level: unknown,
  { id, title, assignments }: Pick<GroupTarget, 'id' | 'title' | 'assignments'>,
): MeaningLine[] {
  const sets = assignments === 1 ? 'one permission set in an account' : `${assignments} permission sets in accounts`
  return [
    { label: 'group', value: title ?? id },
    ...(title === null ? [] : [{ label: 'id', value: id }]),
    ...(assignments === null ? [] : [{ label: 'its members have', value: sets }]),
  ]
}
