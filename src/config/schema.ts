import { type Static, type TSchema, Type } from 'typebox'
import type { Kinds } from '../catalog/kind.ts'
import { Rule } from './schema/access.ts'
import { Aws } from './schema/aws.ts'
import { Inventory } from './schema/inventory.ts'
import { levelsForEditors, levelsSchema } from './schema/levels.ts'
import { listenersSchema } from './schema/listeners.ts'
import { List, strict } from './schema/members.ts'
import { Oidc } from './schema/oidc.ts'
import { Audit, Recordings } from './schema/records.ts'
import { resourceSchema } from './schema/resources.ts'
import { Keys, Limits, Server, State, Store } from './schema/server.ts'

/**
 * The one schema of the configuration: its types, its validation, config/schema.json and the reference come from here. What a
 * resource and a level may hold, and which listeners there are, follows from the kinds.
 */
export function configSchema(kinds: Kinds) {
  return Type.Object(sections(kinds, levelsSchema(kinds)), root)
}

/** The same for editors, with the members of levels. */
export function editorSchema(kinds: Kinds) {
  return Type.Object(sections(kinds, levelsForEditors(kinds)), root)
}

const root = { ...strict, $id: 'https://sallyport.dev/config/schema.json', title: 'Sallyport configuration' }

function sections<L extends TSchema>(kinds: Kinds, levels: L) {
  return {
    version: Type.Literal(1, { description: 'Version of this format' }),
    server: Server,
    store: Type.Optional(Store),
    keys: Type.Optional(Keys),
    state: Type.Optional(State),
    oidc: Oidc,
    aws: Type.Optional(Aws),
    listeners: Type.Optional(listenersSchema(kinds)),
    resources: Type.Optional(List(resourceSchema(kinds), 'Catalog entries added by hand')),
    inventory: Type.Optional(Inventory),
    levels: Type.Optional(List(levels, 'What access levels mean')),
    access: Type.Optional(List(Rule, 'Who may request what')),
    recordings: Type.Optional(Recordings),
    audit: Type.Optional(Audit),
    limits: Type.Optional(Limits),
  }
}

type Written = Static<ReturnType<typeof configSchema>>

/** The configuration as it is written, before defaults. */
export type ConfigFile = Omit<Written, 'levels'> & { levels?: LevelFile[] }
/** TypeBox's type leaves out what `additionalProperties` allows: the levels, by their names. */
export type LevelFile = NonNullable<Written['levels']>[number] & Readonly<Record<string, unknown>>
export type RuleFile = NonNullable<ConfigFile['access']>[number]
export type SelectorFile = RuleFile['what']
