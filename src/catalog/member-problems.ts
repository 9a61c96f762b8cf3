import type { TObject, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Problem } from './kind.ts'

interface Annotations {
  readonly errorMessage?: string
  readonly patternErrorMessage?: string
}

/**
 * The problems of a mapping that its schema refuses: every unknown and every wrong member, each once. The message for a
 * member is its `errorMessage` or `patternErrorMessage`.
 * @param words the name of such a mapping, and the message for anything that is not a mapping
 */
export function memberProblems(
  schema: TObject,
  raw: unknown,
  words: { readonly noun: string; readonly mapping: string },
): Problem[] {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return [{ path: '', message: words.mapping }]
  const names = Object.keys(schema.properties)
  const unknown = Object.keys(raw)
    .filter((key) => !names.includes(key))
    .map((key) => ({ path: key, message: `unknown; ${words.noun} has ${names.join(', ')}` }))
  const wrong = [...Value.Errors(schema, raw)]
    .flatMap((error) =>
      error.keyword === 'required' && error.instancePath === ''
        ? error.params.requiredProperties
        : [error.instancePath.split('/')[1] ?? ''],
    )
    .filter((key) => names.includes(key))
  return [...unknown, ...[...new Set(wrong)].map((key) => ({ path: key, message: expectedOf(schema.properties[key]) }))]
}

function expectedOf(member: (TSchema & Annotations) | undefined): string {
  return member?.errorMessage ?? member?.patternErrorMessage ?? 'has the wrong form'
}
