import { Type } from 'typebox'
import { object, type Shape, text } from './schema.ts'

/** A principal by name, where people read it. */
export const Named = object({ id: text(), name: text() })
export type Named = Shape<typeof Named>

/** How a person names a resource. */
export const ResourceReference = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Full id, or its last part when unique',
})

export const LevelName = Type.String({ minLength: 1, maxLength: 64 })

/** For lists that begin with what is live. */
export const Listing = object({ all: Type.Optional(Type.Boolean({ description: 'Include those that have ended' })) })

/** For lists of sessions, newest first. */
export const sessionPage = {
  open: Type.Optional(Type.Boolean({ description: 'Only sessions that are open now' })),
  before: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the previous page' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
}
