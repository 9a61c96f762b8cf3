import t from 'tap'
import { parse, stringify } from 'yaml'
import { formatPath, type Path, parsePath } from '../../../src/config/path.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { validate } from '../../../src/config/validate.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import fc from '../../fast-check.ts'
import { load, minimal, problemsIn } from './load-text.ts'

const schema = configSchema(kinds)
const sections = Object.keys(schema.properties)

/** A file that is right, and uses every section. */
const whole = {
  ...parse(minimal),
  store: { url: 'sqlite:./a.db', grace: '10s' },
  keys: { dir: 'keys' },
  aws: {
    regions: ['eu-west-1'],
    accounts: { '111122223333': { partition: 'aws' } },
    endpoint_url: { sts: 'https://a.b' },
  },
  listeners: { postgres: [] },
  resources: [
    {
      id: 'rds-postgres/111122223333/eu-west-1/orders',
      endpoint: 'orders.example.com',
      resource_id: 'db-ORDERS',
      port: 5432,
      tags: { env: 'prod' },
    },
  ],
  levels: [{ for: { kinds: ['rds-postgres'] }, readonly: { db_user: 'ro' } }],
  access: [
    {
      name: 'a-rule',
      who: { groups: ['engineering'] },
      what: { tags: { env: 'prod' } },
      levels: ['readonly'],
      max_duration: '8h',
      require: { reason: true },
      approval: { stages: [{ any_of: ['manager'], count: 1 }] },
    },
  ],
  recordings: { reserve: '1GB' },
  audit: { anchors: [{ stdout: true }] },
  limits: { sessions: 10 },
}

/** Wrong wherever the schema says anything at all. */
const wrong = 'no such value \u0000'

t.test('any bytes give a configuration or problems, each with a place in the file and something to do', async (t) => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc
      .array(fc.constantFrom(...'ab: -[]{}"\'\n\t#&*!|>%@`?,{$}0~<'), { maxLength: 60 })
      .map((letters) => letters.join('')),
    fc.json(),
    fc
      .tuple(fc.nat(minimal.length), fc.string({ maxLength: 5 }))
      .map(([at, text]) => minimal.slice(0, at) + text + minimal.slice(at)),
    fc.dictionary(fc.constantFrom(...sections, 'x'), fc.jsonValue()).map((value) => stringify(value)),
  )
  await t.resolves(
    fc.assert(
      fc.asyncProperty(junk, async (text) => {
        const loaded = await load(t, text)
        if (loaded.ok) return true
        const rows = Buffer.from(text)
          .toString()
          .split(/\r\n|\n|\r/).length
        return (
          loaded.problems.length > 0 &&
          loaded.problems.every(
            ({ line, column, message, fix }) => line >= 1 && line <= rows + 1 && column >= 1 && message && fix,
          )
        )
      }),
      { numRuns: 400 },
    ),
  )
})

t.test('no problem is lost: whatever values are spoilt, each is reported at its own path and line', async (t) => {
  t.same(
    validate(schema, whole, () => ''),
    [],
  )
  const places = leaves(whole).filter((path) => !isFree(path))
  t.ok(places.length > 20)
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.subarray(places, { minLength: 1 }), async (spoilt) => {
        const copy = structuredClone(whole)
        for (const path of spoilt) put(copy, path, [wrong])
        const text = stringify(copy)
        const problems = problemsIn(await load(t, text))
        const rows = text.split('\n')
        for (const path of spoilt) {
          const found = problems.find((problem) => problem.path === formatPath(path))
          if (!found) throw new Error(`${formatPath(path)} is lost`)
          const key = path.findLast((part) => typeof part === 'string')
          const near = rows.slice(Math.max(0, found.line - 2), found.line).join('\n')
          if (!near.includes(String(key))) throw new Error(`${formatPath(path)} is not at line ${found.line}`)
        }
        return problems.length === spoilt.length
      }),
      { numRuns: 60 },
    ),
  )
})

t.test('no unknown key is lost, in whatever mapping', async (t) => {
  const mappings = ['', 'server', 'store', 'oidc', 'aws', 'resources.0', 'access.0', 'access.0.require', 'limits']
  await t.resolves(
    fc.assert(
      fc.asyncProperty(
        fc.subarray(mappings, { minLength: 1 }),
        fc.stringMatching(/^[a-z$ .[\]"]{1,12}$/),
        async (at, name) => {
          const copy = structuredClone(whole)
          const paths = at.map((mapping) => [...mapping.split('.').filter(Boolean), `zz${name}`])
          for (const path of paths) put(copy, path, 1)
          const problems = problemsIn(await load(t, stringify(copy)))
          const expected = paths.map((path) => formatPath(path.map((part) => (part === '0' ? 0 : part))))
          return expected.every((path) =>
            problems.some((one) => one.path === path && one.message.startsWith('unknown key')),
          )
        },
      ),
      { numRuns: 60 },
    ),
  )
})

t.test('a path is read back as it was written', (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(99), fc.string({ minLength: 1 })), { minLength: 1 }), (path) => {
      t.same(parsePath(formatPath(path)), path)
    }),
  )
  t.end()
})

/** Members of a level and names of tags are somebody else's to judge. */
function isFree(path: Path): boolean {
  return path[0] === 'levels' && path[2] !== 'for'
}

function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, member]) =>
    leaves(member, [...path, Array.isArray(value) ? Number(name) : name]),
  )
}

function put(root: object, path: Path, value: unknown): void {
  const parent = path.slice(0, -1).reduce<unknown>((at, part) => Reflect.get(Object(at), part), root)
  Reflect.set(Object(parent), path.at(-1) ?? '', value)
}
