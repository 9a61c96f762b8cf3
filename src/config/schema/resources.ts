import { type TProperties, Type } from 'typebox'
import type { Kind, Kinds } from '../../catalog/kind.ts'
import type { ResourceFile } from '../../catalog/resource.ts'
import { Partition, strict } from './members.ts'

const id = Type.String({
  pattern: '^[a-z0-9-]+(/[^/\\s]+){1,4}$',
  patternErrorMessage: 'expected a full id: KIND/ACCOUNT/REGION/NAME',
  examples: ['rds-postgres/111122223333/eu-west-1/orders'],
  description: 'Full id; its first part is the kind, which determines the other keys',
})

const partition = Type.Optional(Partition('AWS partition'))

const tags = Type.Optional(
  Type.Record(Type.String(), Type.String(), {
    description: 'Tags, as on the AWS resource',
    examples: [{ env: 'prod' }],
  }),
)

/**
 * One item of `resources`: what all kinds have, and what the kind named by the id has besides. Written as JSON Schema itself,
 * since TypeBox does not support `if`. An unknown kind is reported when the catalog is made.
 */
export function resourceSchema(kinds: Kinds) {
  return Type.Unsafe<ResourceFile>({
    type: 'object',
    description: 'A resource added by hand',
    required: ['id'],
    properties: { id, partition, tags } satisfies TProperties,
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    allOf: kinds.map((kind) => ({ if: isOf(kind), then: membersOf(kind) })),
  })
}

function isOf({ name }: Kind) {
  return Type.Object({ id: Type.String({ pattern: `^${name}/` }) })
}

function membersOf({ name, target }: Kind) {
  return Type.Object({ id, partition, ...target.schema.properties, tags }, { ...strict, title: name })
}
