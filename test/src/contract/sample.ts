import type { JsonSchema } from '../../docs/contract-snapshot.ts'

/** A value that fits a schema of an answer, and the same with a member too many in each of its objects. */
export interface Sample {
  readonly clean: unknown
  readonly planted: unknown
}

/** A word that no answer may contain. */
export const secret = 'planted-by-the-test'

/** @param turn chooses among what a schema leaves open: types, values of a list, null */
export function makeSample(schema: JsonSchema, turn: number): Sample {
  const type = pick([schema.type ?? 'anything'].flat(), turn)
  if (type === 'object') return makeObject(schema, turn)
  if (type === 'array') {
    const one = makeSample(schema.items ?? {}, turn)
    const two = makeSample(schema.items ?? {}, turn + 1)
    return { clean: [one.clean, two.clean], planted: [one.planted, two.planted] }
  }
  const value = makeScalar(type, schema, turn)
  return { clean: value, planted: value }
}

function makeObject({ properties = {}, additionalProperties }: JsonSchema, turn: number): Sample {
  const members = Object.entries(properties).map(([name, member], i) => [name, makeSample(member, turn + i)] as const)
  const isMap = typeof additionalProperties === 'object'
  // Keys of a map are data: also such as an object has by itself.
  const keys = isMap ? ['key', 'two\nlines', '__proto__', 'constructor'] : []
  const entries = keys.map((key, i) => [key, makeSample(isMap ? additionalProperties : {}, turn + i)] as const)
  const all = [...members, ...entries]
  return {
    clean: Object.fromEntries(all.map(([name, { clean }]) => [name, clean])),
    planted: Object.fromEntries([
      ...all.map(([name, { planted }]) => [name, planted]),
      ...(isMap ? [] : [[secret, secret]]),
    ]),
  }
}

function makeScalar(type: string, schema: JsonSchema, turn: number): unknown {
  if (type === 'null') return null
  if (type === 'boolean') return turn % 2 === 0
  if (type === 'integer') return pick([0, 1_764_000_000_000, Number.MAX_SAFE_INTEGER, -1], turn)
  if (type === 'number') return pick([0.5, 1_764_000_000_000, -7], turn)
  const values = (schema.enum ?? []).filter((value) => value !== null)
  return pick(values.length > 0 ? values : ['', 'text', 'it’s "quoted" \\ \u2028 \u0000 🙂', 'x'.repeat(6000)], turn)
}

function pick<T>(from: readonly T[], turn: number): T {
  const found = from[turn % from.length]
  if (found === undefined) throw new Error('nothing to choose from')
  return found
}
