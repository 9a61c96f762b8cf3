import type { TSchema } from 'typebox'

/** The members of a JSON schema that this configuration uses. */
export interface SchemaView {
  readonly type?: string
  readonly const?: unknown
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly pattern?: string
  readonly format?: string
  readonly patternErrorMessage?: string
  readonly errorMessage?: string
  readonly propertyErrorMessage?: string
  readonly writeOnly?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly 'x-least'?: string
  readonly 'x-most'?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, SchemaView>>
  readonly patternProperties?: Readonly<Record<string, SchemaView>>
  readonly additionalProperties?: boolean | SchemaView
  readonly items?: SchemaView
  readonly anyOf?: readonly SchemaView[]
  /** The first that applies replaces the schema around it. */
  readonly allOf?: readonly { readonly if: SchemaView; readonly then: SchemaView }[]
}

export function viewOf(schema: TSchema): SchemaView {
  return schema as SchemaView
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
}

/** The expected value, as text that follows "expected": `1–65535`, `a list`, `a duration such as 30s …`. */
export function expected(schema: SchemaView): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf) return schema.anyOf.map(expected).join(', or ')
  if (schema['x-least'])
    return `a duration of ${schema['x-least']} to ${schema['x-most']}, such as ${schema.examples?.[0]}`
  const message = schema.patternErrorMessage ?? schema.errorMessage
  if (message) return message.replace(/^expected /, '')
  if (schema.format === 'regex') return 'a regular expression'
  if (schema.type === 'integer' || schema.type === 'number') return expectedNumber(schema)
  return typeNames[schema.type ?? ''] ?? 'anything'
}

function expectedNumber({ minimum, maximum }: SchemaView): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum}–${maximum}`
  return minimum === undefined ? 'a whole number' : `a whole number from ${minimum}`
}
