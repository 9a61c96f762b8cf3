import { Type } from 'typebox'
import { object, type Shape, text } from './schema.ts'

/** A principal by name, where people read it. */
export const Named = object({
  id: text(),
  name: text(),
  unverified: Type.Optional(
    object(
      { issuer: text(), subject: text() },
      'Who it is at the identity provider, which does not vouch for the name',
    ),
  ),
})
export type Named = Shape<typeof Named>

/** What something amounts to, one line of it. */
export const Meaning = object({ label: text('e.g. `database user`'), value: text() })
export type Meaning = Shape<typeof Meaning>

/** How a person names a resource. */
export const ResourceReference = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Full id, or its last part when unique',
})

export const loginNamePattern = '^[a-z0-9_.]{1,32}$'

export const LoginName = Type.String({
  pattern: loginNamePattern,
  description: 'Login name of one person, for levels that hold `{login}`',
})

export const LevelName = Type.String({ minLength: 1, maxLength: 64 })
