import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox'

/** A schema, and not a string: TypeBox's own type takes any value. */
export type Schema = TSchema & object

/**
 * The few forms that schemas of the API are made of. They are chosen so that the serializer of answers drops what a schema
 * doesn't name, and fails on nothing but a member that is missing: JSON Schema's `anyOf` would be checked by a validator, which
 * refuses a whole answer for one member too many.
 */

/** An object with these members and no others. */
export function object<P extends TProperties>(members: P, description?: string): TObject<P> {
  return Type.Object(members, { additionalProperties: false, ...described(description) })
}

/** One of these strings. */
export function oneOf<const T extends readonly string[]>(values: T, description?: string): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...described(description) })
}

/** The same, or null. For schemas with one JSON type. */
export function nullable<S extends Schema & { readonly type: string }>(schema: S): TUnsafe<Static<S> | null>
export function nullable<T>(schema: TUnsafe<T>): TUnsafe<T | null>
export function nullable(schema: Schema & { readonly type?: string; readonly enum?: readonly string[] }): Schema {
  const { type, enum: values } = schema
  return Type.Unsafe({ ...schema, type: [type, 'null'], ...(values ? { enum: [...values, null] } : {}) })
}

/** An object whose keys are data, such as the tags of a resource. */
export function mapOf<S extends Schema>(value: S, description?: string): TUnsafe<Record<string, Static<S>>> {
  return Type.Unsafe({ type: 'object', additionalProperties: value, ...described(description) })
}

export function text(description?: string) {
  return Type.String(described(description))
}

export function list<S extends Schema>(items: S, description?: string) {
  return Type.Array(items, described(description))
}

export function flag(description?: string) {
  return Type.Boolean(described(description))
}

export function count(description?: string) {
  return Type.Integer(described(description))
}

/** A moment. */
export function instant(description?: string) {
  return Type.Integer({ description: description ? `${description}; epoch milliseconds` : 'Epoch milliseconds' })
}

/** An id as `newId` makes it. */
export function idOf(prefix: string) {
  return Type.String({ pattern: `^${prefix}_[0-9a-z]{26}$` })
}

function described(description: string | undefined): { description?: string } {
  return description === undefined ? {} : { description }
}

/** What a schema describes, to be read only. */
export type Shape<S extends Schema> = Frozen<Static<S>>

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Member in keyof T]: Frozen<T[Member]> }
    : T

/** RFC 9457, with a code of docs/errors.md. */
export const Problem = object(
  {
    type: text(),
    title: text('What the code means'),
    status: count(),
    detail: text('What happened'),
    code: text('One of docs/errors.md'),
    hint: Type.Optional(text('What to do')),
    instance: text('Id of the HTTP request, as in the log'),
  },
  'The call failed',
)
export type Problem = Shape<typeof Problem>
