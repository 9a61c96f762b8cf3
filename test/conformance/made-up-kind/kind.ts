import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Kind } from '../../../src/catalog/kind.ts'
import { memberProblems } from '../../../src/catalog/member-problems.ts'

const strict = { additionalProperties: false }

const target = Type.Object(
  {
    port: Type.Integer({
      minimum: 1,
      maximum: 65535,
      errorMessage: 'expected a port of this machine',
      description: 'Where it listens on this machine',
      examples: [5432],
    }),
    server_name: Type.String({ description: 'Name in its certificate', examples: ['things.example.internal'] }),
    ca: Type.String({ 'x-file': 'certificates', description: 'Roots it is known by', examples: ['roots.pem'] }),
  },
  strict,
)

const level = Type.Object(
  {
    role: Type.String({
      minLength: 1,
      errorMessage: 'expected the name of a role',
      description: 'Who signs in there',
      examples: ['sallyport_ro'],
    }),
  },
  strict,
)

export type ThingTarget = Static<typeof target>
export type ThingLevel = Static<typeof level>

/** A kind that nothing outside this folder knows: a PostgreSQL on this machine, which asks for a secret of its own. */
export const madeUpThing: Kind<ThingTarget, ThingLevel> = {
  name: 'made-up',
  id: 'global',
  protocol: 'postgres',
  target: {
    schema: target,
    read: ({ attributes }) =>
      Value.Check(target, attributes)
        ? { ok: true, value: attributes }
        : {
            ok: false,
            problems: memberProblems(target, attributes, { noun: 'a thing', mapping: 'expected a mapping' }),
          },
  },
  targetId: ({ server_name: name }) => name,
  level: {
    schema: level,
    read: (raw) =>
      Value.Check(level, raw)
        ? { ok: true, value: raw }
        : { ok: false, problems: memberProblems(level, raw, { noun: 'a thing level', mapping: 'expected a mapping' }) },
  },
  shown: ({ server_name: name }) => ({ database: 'orders', name }),
}
