import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Problem } from './kind.ts'

/**
 * What is wrong with a level that its schema refuses: every unknown and every wrong member, each once.
 * @param expected what to say of each member; the level has these and no others
 * @param words what a level of this kind is called, and what to say when it is no mapping at all
 */
export function levelProblems(
  schema: TSchema,
  raw: unknown,
  expected: Readonly<Record<string, string>>,
  words: { readonly noun: string; readonly mapping: string },
): Problem[] {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return [{ path: '', message: words.mapping }]
  const unknown = Object.keys(raw)
    .filter((key) => !Object.hasOwn(expected, key))
    .map((key) => ({ path: key, message: `unknown; ${words.noun} has ${Object.keys(expected).join(', ')}` }))
  const wrong = [...Value.Errors(schema, raw)]
    .flatMap(({ instancePath, keyword, params }) =>
      keyword === 'required' && instancePath === ''
        ? (params as { requiredProperties: string[] }).requiredProperties
        : [instancePath.split('/')[1] ?? ''],
    )
    .filter((key) => Object.hasOwn(expected, key))
  return [...unknown, ...[...new Set(wrong)].map((key) => ({ path: key, message: expected[key] ?? '' }))]
}
