import { type Static, type TObject, type TProperties, Type } from 'typebox'
import { ResourceReference } from './references.ts'
import { count, flag, list, nullable, object, type Schema, text } from './schema.ts'

/**
 * Every list takes the same query and gives the same answer: a bounded page, where the next one begins, and how many there are.
 */

const Moment = Type.Integer({ minimum: 0, description: 'Epoch milliseconds' })

/** Of every list. */
export const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 300, description: '`next` of the previous page' })),
}

/** By when the thing was made, asked for, opened or last seen. */
export const timeFilter = { since: Type.Optional(Moment), until: Type.Optional(Moment) }

export const whoFilter = {
  who: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 320,
      description: 'Only of this principal: id, verified e-mail, unique name, or `me`',
    }),
  ),
}

export const resourceFilter = { resource: Type.Optional(ResourceReference) }

/** For lists that begin with what is live. */
export const endedToo = { all: Type.Optional(Type.Boolean({ description: 'Include those that have ended' })) }

/** Of lists of sessions. `before` is from before every list had a `cursor`, which goes first. */
export const sessionFilter = {
  open: Type.Optional(Type.Boolean({ description: 'Only sessions that are open now' })),
  before: Type.Optional(Type.String({ maxLength: 64, description: 'The same as `cursor`' })),
}

interface Listed<Item> {
  items: Item[]
  next: string | null
  total: number
  capped: boolean
}

/**
 * @param name under which the items are given as well, for clients from before there was one form of lists
 * @param more of the list as a whole
 */
export function listOf<const N extends string, S extends Schema, P extends TProperties = Record<never, never>>(
  name: N,
  item: S,
  more?: P,
) {
  const schema = object({
    items: list(item),
    next: nullable(text('`cursor` of the next page; null at the end. A page may be short and still have a next one')),
    total: count('How many match on all pages'),
    capped: flag('There may be more than `total`: counting stopped there'),
    [name]: list(item, 'The same as `items`'),
    ...more,
  })
  return Type.Unsafe<Listed<Static<S>> & Record<N, Static<S>[]> & Static<TObject<P>>>(schema)
}
