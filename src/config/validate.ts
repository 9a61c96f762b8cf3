import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { expected, type SchemaView, viewOf } from './expected.ts'
import type { Path } from './path.ts'
import { suggest } from './suggest.ts'
import { parseDuration } from './units.ts'

/** Something that the schema does not allow. */
export interface Mistake {
  readonly path: Path
  /** `key`: the name is wrong or missing; `value`: what it holds is wrong. */
  readonly at: 'key' | 'value'
  readonly message: string
  readonly fix: string
}

/** How to show a value: as it was typed, or not at all when it is a secret or came from a reference. */
export type Show = (path: Path, value: unknown) => string

interface Walk {
  readonly show: Show
  readonly mistakes: Mistake[]
}

/**
 * Everything that `schema` does not allow in `value`, in the order of the file. The library decides what is valid; this
 * walk only explains, and reports when it finds no explanation.
 */
export function validate(schema: TSchema, value: unknown, show: Show): Mistake[] {
  const walk: Walk = { show, mistakes: [] }
  visit(viewOf(schema), value, [], walk)
  if (walk.mistakes.length === 0 && !Value.Check(schema, value))
    report(walk, [], 'does not match the schema', 'compare it with `sallyport config reference`')
  return walk.mistakes
}

function visit(schema: SchemaView, value: unknown, path: Path, walk: Walk): void {
  const branch = schema.allOf?.find((one) => Value.Check(one.if, value))
  const variant = schema.anyOf?.find((one) => typeFits(one, value))
  if (variant) visit(variant, value, path, walk)
  else if (schema.const !== undefined && value !== schema.const) reportValue(schema, value, path, walk)
  else if (!typeFits(schema, value)) reportValue(schema, value, path, walk)
  else if (Array.isArray(value)) visitList(schema, value, path, walk)
  else if (typeof value === 'object' && value !== null) visitMapping(branch?.then ?? schema, value, path, walk, schema)
  else if (!scalarFits(schema, value)) reportValue(schema, value, path, walk)
}

function typeFits(schema: SchemaView, value: unknown): boolean {
  switch (schema.type) {
    case undefined:
      return schema.anyOf === undefined
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isSafeInteger(value)
    default:
      return typeof value === schema.type
  }
}

function visitList(schema: SchemaView, value: readonly unknown[], path: Path, walk: Walk): void {
  const { minItems = 0, maxItems = Infinity } = schema
  if (value.length < minItems) report(walk, path, `expected at least ${minItems} item, got none`, exampleOf(schema))
  if (value.length > maxItems)
    report(walk, path, `expected at most ${maxItems} items, got ${value.length}`, 'remove some')
  value.forEach((item, i) => {
    if (schema.items) visit(schema.items, item, [...path, i], walk)
  })
}

/** @param whole the schema of which `schema` is the branch that applies, or the same */
function visitMapping(schema: SchemaView, value: object, path: Path, walk: Walk, whole: SchemaView): void {
  const known = schema.properties ?? {}
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) reportMissing(name, known[name], path, walk)
  for (const [name, member] of Object.entries(value)) {
    const found = memberOf(schema, name)
    if (found) visit(found, member, [...path, name], walk)
    else if (schema.propertyErrorMessage) reportKey(schema.propertyErrorMessage, name, path, walk)
    else if (whole.allOf?.some(({ then }) => memberOf(then, name))) reportForeign(name, schema, whole, path, walk)
    else reportUnknown(name, Object.keys(known), path, walk)
  }
}

/** The schema of one member; undefined when no such key may be here. */
function memberOf(schema: SchemaView, name: string): SchemaView | undefined {
  if (schema.properties && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  for (const [pattern, member] of Object.entries(schema.patternProperties ?? {}))
    if (new RegExp(pattern, 'u').test(name)) return member
  // No branch applies, e.g. for an invalid id: members that any branch knows are still checked.
  for (const { then } of schema.allOf ?? []) {
    const member = memberOf(then, name)
    if (member) return member
  }
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties
  return schema.additionalProperties === false ? undefined : {}
}

function scalarFits(schema: SchemaView, value: unknown): boolean {
  if (typeof value === 'number') return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)
  if (typeof value !== 'string') return true
  if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? Infinity)) return false
  if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) return false
  return (schema.format !== 'regex' || isRegex(value)) && isWithin(schema, value)
}

/** Whether a duration is within the schema's bounds. */
function isWithin({ 'x-least': least, 'x-most': most }: SchemaView, text: string): boolean {
  if (least === undefined || most === undefined) return true
  const [ms = Number.NaN, from = 0, to = 0] = [text, least, most].map(parseDuration)
  return ms >= from && ms <= to
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text, 'u')
    return true
  } catch {
    return false
  }
}

function reportValue(schema: SchemaView, value: unknown, path: Path, walk: Walk): void {
  const { minLength = 0, maxLength = Infinity } = schema
  const wanted =
    typeof value === 'string' && value.length > maxLength
      ? `at most ${maxLength} characters`
      : typeof value === 'string' && value.length < minLength
        ? 'some text'
        : expected(schema)
  const got = schema.writeOnly && typeof value !== 'object' ? 'something else' : walk.show(path, value)
  report(walk, path, `expected ${wanted}, got ${got}`, fixOf(schema, value, got))
}

function fixOf(schema: SchemaView, value: unknown, got: string): string {
  if (value === null) return `fill it in, or remove the key; ${exampleOf(schema)}`
  const quoted = schema.type === 'string' && typeof value !== 'object' && !schema.writeOnly && scalarFits(schema, got)
  if (quoted && typeof value !== 'string') return `put it in quotes: "${got}"`
  return exampleOf(schema)
}

function exampleOf(schema: SchemaView): string {
  const example = schema.examples?.[0] ?? schema.default ?? schema.const
  if (example !== undefined) return `e.g. ${typeof example === 'string' ? example : JSON.stringify(example)}`
  return schema.description ? `it is: ${lowerFirst(schema.description)}` : `write ${expected(schema)}`
}

function reportMissing(name: string, schema: SchemaView | undefined, path: Path, walk: Walk): void {
  const fix = `add ${name}; ${exampleOf(schema ?? {})}`
  walk.mistakes.push({ path: [...path, name], at: 'key', message: `"${name}" is missing`, fix })
}

function reportUnknown(name: string, known: readonly string[], path: Path, walk: Walk): void {
  const meant = suggest(name, known)
  reportKey(
    'unknown key',
    name,
    path,
    walk,
    meant ? `did you mean ${meant}?` : `remove it; allowed here: ${known.join(', ')}`,
  )
}

/** A key that belongs to another branch: an attribute of another kind. */
function reportForeign(name: string, schema: SchemaView, whole: SchemaView, path: Path, walk: Walk): void {
  const own = Object.keys(schema.properties ?? {}).filter((one) => !Object.hasOwn(whole.properties ?? {}, one))
  const message = `${schema.title} has no attribute ${JSON.stringify(name)}`
  walk.mistakes.push({
    path: [...path, name],
    at: 'key',
    message,
    fix: `remove it; it has ${own.join(', ') || 'none'}`,
  })
}

function reportKey(message: string, name: string, path: Path, walk: Walk, fix = 'correct the name'): void {
  const shown = JSON.stringify(name.slice(0, 60))
  const text = message === 'unknown key' ? `unknown key ${shown}` : `${message}, got ${shown}`
  walk.mistakes.push({ path: [...path, name], at: 'key', message: text, fix })
}

function report(walk: Walk, path: Path, message: string, fix: string): void {
  walk.mistakes.push({ path, at: 'value', message, fix })
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}
