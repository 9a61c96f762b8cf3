import { type TSchema, Type } from 'typebox'
import type { Kinds } from '../../catalog/kind.ts'
import { Selector } from './access.ts'
import { strict } from './members.ts'

const about = {
  description: 'What the level of this name means; which members there are depends on the kind',
  examples: [{ db_user: 'sallyport_ro', databases: ['*'] }],
}

/** `for` selects resources; every other key is a level, whose members the kinds of those resources check. */
export const Levels = levelsSchema(Type.Record(Type.String(), Type.Unknown(), about))

/** The same for editors, which cannot know of what kind the resources are: a level has the members of some kind. */
export function levelsForEditors(kinds: Kinds): TSchema {
  return levelsSchema(
    Type.Union(
      kinds.map(({ name, level }) => ({ ...level.schema, title: name })),
      about,
    ),
  )
}

function levelsSchema<T extends TSchema>(meaning: T) {
  return Type.Object(
    { for: Type.Object(Selector, { ...strict, description: 'Resources these levels are for' }) },
    { additionalProperties: meaning, description: 'Levels of some resources; the first match wins' },
  )
}
