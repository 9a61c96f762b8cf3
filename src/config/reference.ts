import type { Kind, Kinds } from '../catalog/kind.ts'
import { expected, type SchemaView, viewOf } from './expected.ts'
import { configSchema, editorSchema } from './schema.ts'

/** One key of the configuration, as the reference shows it. */
export interface Key {
  /** `server.listen`, `resources[].id`, `aws.accounts.<key>.partition` */
  readonly name: string
  readonly schema: SchemaView
  readonly required: boolean
}

/** Every key below `schema`, parents first. Pure. */
export function keysOf(schema: SchemaView, name = ''): Key[] {
  const below = (child: SchemaView, childName: string, required: boolean): Key[] => [
    { name: childName, schema: child, required },
    ...keysOf(child, childName),
  ]
  const members = Object.entries(schema.properties ?? {}).flatMap(([key, child]) =>
    below(child, name ? `${name}.${key}` : key, schema.required?.includes(key) ?? false),
  )
  const records = [schema, ...(schema.anyOf ?? [])].flatMap((one) => [
    ...Object.values(one.patternProperties ?? {}),
    ...(typeof one.additionalProperties === 'object' ? [one.additionalProperties] : []),
  ])
  return [
    ...members,
    ...records.filter((one) => one.description).flatMap((one) => below(one, `${name}.<key>`, false)),
    ...(schema.items ? keysOf(schema.items, `${name}[]`) : []),
  ]
}

/** JSON Schema of the file, for editors; `$schema` of YAML language servers points to it. */
export function renderJsonSchema(kinds: Kinds): string {
  const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...editorSchema(kinds) }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/** docs/configuration.md: every key with what it expects, its default, an example and its meaning. */
export function renderReference(kinds: Kinds): string {
  const root = viewOf(configSchema(kinds))
  const sections = Object.entries(root.properties ?? {}).map(([name, schema]) => {
    const keys = keysOf(schema, name)
    const required = root.required?.includes(name) ? 'Required. ' : ''
    const about = `${required}${sentence(schema.description)}`
    const rows = keys.length > 0 ? keys : [{ name, schema, required: true }]
    return `## ${name}\n\n${about}\n\n${table(rows)}`
  })
  return `${introduction}\n${[...sections, ...kinds.map(kindSections)].join('\n')}`
}

/** What an entry of `resources` and a level hold for one kind. */
function kindSections({ name, target, level }: Kind): string {
  const attributes = keysOf(viewOf(target.schema))
  const heading = `## Resources of ${name}

What an entry of \`resources\` has besides \`id\`, \`partition\` and \`tags\` when its id begins with \`${name}/\`.

${attributes.length > 0 ? table(attributes) : 'Nothing more.\n'}`
  if (!level) return heading
  const members = keysOf(viewOf(level.schema))
  return `${heading}
## Levels of ${name}

What \`levels[].<key>\` holds for these resources.

${members.length > 0 ? table(members) : 'Nothing: write `{}`.\n'}`
}

const introduction = `# Configuration

One YAML file. An unknown key is an error; \`sallyport config check FILE\` prints every problem at once, with its line and
what to do. [config/minimal.yaml](../config/minimal.yaml) is the shortest file that runs,
[config/example.yaml](../config/example.yaml) a rich one. For completion in an editor, begin the file with
\`# yaml-language-server: $schema=PATH/config/schema.json\`.

- **References**: \`\${env:NAME}\` stands for an environment variable, \`\${file:PATH}\` for the content of a file; in any text
  value. One that can't be read is an error; its value appears in no message. \`$\${\` stands for \`\${\` itself.
- **Durations** are written as \`500ms\`, \`30s\`, \`10m\`, \`8h\`, \`7d\`; **sizes** as \`500KB\`, \`100MB\`, \`1GB\` (powers of ten).
- **Paths** start at the folder of the file.
- Anchors and aliases (\`*name\`) are refused, so that a rule is reviewed where it applies.
- SIGHUP reloads \`levels\`, \`access\`, \`resources\` and \`inventory\`; an invalid file changes nothing. The rest needs a restart.
  Certificates are read again when their files change.
`

function table(keys: readonly Key[]): string {
  const rows = keys.map(({ name, schema, required }) =>
    [
      code(name),
      expects(schema),
      required ? '**required**' : code(schema.default),
      code(exampleOf(schema)),
      sentence(schema.description),
    ]
      .map(cell)
      .join(' | '),
  )
  return [
    '| Key | Expects | Default | Example | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n')
}

function expects(schema: SchemaView): string {
  return schema.type === 'array' && schema.items ? `a list; each ${expected(schema.items)}` : expected(schema)
}

function exampleOf(schema: SchemaView): unknown {
  if (schema.examples) return schema.examples[0]
  const item = schema.items && exampleOf(schema.items)
  return item === undefined ? (schema.const ?? schema.default) : [item]
}

/** In YAML's flow style; empty for a mapping, whose members have rows of their own. */
function code(value: unknown): string {
  if (value === undefined) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text === '{}' ? '' : `\`${text}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function sentence(text = ''): string {
  return text === '' || /[.;)]$/.test(text) ? text : `${text}.`
}
