import { type TSchema, Type } from 'typebox'
import type { Kinds } from '../../catalog/kind.ts'
import { type SchemaView, viewOf } from '../expected.ts'
import { Selector } from './access.ts'
import { strict } from './members.ts'

/** `for` selects resources; every other key is a level, whose members the kinds of those resources check. */
export function levelsSchema(kinds: Kinds) {
  return around(Type.Record(Type.String(), Type.Unknown(), aboutLevel(kinds)))
}

/** The same for editors, which cannot know of what kind the resources are: a level has the members of some kind. */
export function levelsForEditors(kinds: Kinds): TSchema {
  const meanings = kinds.flatMap(({ name, level }) => (level ? [{ ...level.schema, title: name }] : []))
  return around(Type.Union(meanings, aboutLevel(kinds)))
}

/** With the members that some kind requires as an example. */
function aboutLevel(kinds: Kinds) {
  const { required = [], properties = {} } =
    kinds.flatMap(({ level }) => (level ? [viewOf(level.schema)] : [])).find(requiresMembers) ?? {}
  return {
    description: 'Meaning of the level of this name; its members depend on the kind',
    examples: [Object.fromEntries(required.map((name) => [name, properties[name]?.examples?.[0]]))],
  }
}

function requiresMembers({ required = [] }: SchemaView): boolean {
  return required.length > 0
}

function around<T extends TSchema>(meaning: T) {
  return Type.Object(
    { for: Type.Object(Selector, { ...strict, description: 'Resources these levels are for' }) },
    { additionalProperties: meaning, description: 'Levels of some resources; the first match wins' },
  )
}
