import type { Parsed, Problem } from '../catalog/kind.ts'

/**
 * What is written by hand of a target may be a part, as the rest can be discovered; what is wrong in the part is said all the same.
 * @param read with something in the place of what is missing
 * @param missing what was expected, by member
 */
export function partOf<T>(read: Parsed<T>, missing: Readonly<Record<string, string>>): Parsed<T> {
  const wrong = read.ok ? [] : read.problems.filter(({ path }) => missing[path] === undefined)
  const problems = Object.entries(missing).map(
    ([path, message]): Problem => ({ path, message, fix: 'write it, or let it be discovered: inventory.import' }),
  )
  return wrong.length > 0 ? { ok: false, problems: [...wrong, ...problems] } : { ok: false, problems, isPartial: true }
}
