import t from 'tap'
import { parse } from 'yaml'
import { kindNamed } from '../../../src/catalog/kind.ts'
import { viewOf } from '../../../src/config/expected.ts'
import { keysOf, renderJsonSchema, renderReference } from '../../../src/config/reference.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { kinds } from '../../../src/kinds/registry.ts'

const keys = [
  ...keysOf(viewOf(configSchema(kinds))),
  ...kinds.flatMap(({ target, level }) =>
    [target.schema, ...(level ? [level.schema] : [])].flatMap((schema) => keysOf(viewOf(schema))),
  ),
]

t.test('every key has a meaning, and every value a default or an example', (t) => {
  for (const { name, schema } of keys) {
    t.ok(schema.description, `${name} has a meaning`)
    const holdsValues =
      schema.properties === undefined && schema.patternProperties === undefined && schema.items?.type !== 'object'
    const known = [schema.examples, schema.items?.examples, schema.default, schema.const]
    if (holdsValues)
      t.ok(
        known.some((one) => one !== undefined),
        `${name} has an example`,
      )
  }
  t.end()
})

t.test('the reference has a row for every key, at every depth', (t) => {
  const text = renderReference(kinds)
  for (const { name, schema } of keys)
    t.ok(text.includes(`| \`${name}\` |`) || schema.type === 'object' || schema.type === 'array', name)
  for (const name of [
    'server.tls.cert',
    'aws.accounts.<key>.partition',
    'aws.endpoint_url.<key>',
    'levels[].<key>',
    'access[].approval.stages[].any_of',
  ])
    t.ok(text.includes(`| \`${name}\` |`), name)
  t.match(
    text,
    '| `server.drain` | a duration of 0s to 24h, such as 10m | `10m` | `10m` | How long sessions may continue after SIGTERM. |',
  )
  t.match(text, '| `server.public_url` | a URL that begins with https:// or http:// | **required** |')
  t.end()
})

t.test('the JSON Schema is what editors understand', (t) => {
  const schema: unknown = JSON.parse(renderJsonSchema(kinds))
  t.match(schema, {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['version', 'server', 'oidc'],
    additionalProperties: false,
    properties: { server: { properties: { drain: { type: 'string', default: '10m' } } } },
  })
  t.end()
})

t.test('the levels of databases are documented as their kinds read them', (t) => {
  for (const name of ['rds-postgres', 'rds-mysql']) {
    const [, after = ''] = renderReference(kinds).split(`## Levels of ${name}`)
    const [section = ''] = after.split('\n## ')
    const found = [...section.matchAll(/^\| `(\w+)` \|.*\| `([^`]+)` \| [^|]+\|$/gm)]
    const rows = found.map(([, key = '', example = '']) => [key, parse(example)])
    const kind = kindNamed(kinds, name)
    t.match(kind?.level?.read(Object.fromEntries(rows)), { ok: true })
    const names = rows.map(([key]) => key).join(', ')
    t.match(kind?.level?.read({ db_user: 'a', other: 1 }), {
      ok: false,
      problems: [{ path: 'other', message: new RegExp(`has ${names}$`) }],
    })
  }
  t.end()
})
