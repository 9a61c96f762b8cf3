import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCli } from '../../../../src/cli/cli.ts'
import { registerConfig } from '../../../../src/cli/operate/config.ts'
import { renderJsonSchema, renderReference } from '../../../../src/config/reference.ts'
import { kinds } from '../../../../src/kinds/registry.ts'
import { folder, minimal } from '../../config/load-text.ts'

/** What a command prints, and the exit code of the process. */
async function run(t: Test, ...argv: string[]) {
  const exitCode = process.exitCode
  const stdout = t.capture(process.stdout, 'write', () => true)
  const stderr = t.capture(process.stderr, 'write', () => true)
  try {
    const code = await runCli(['config', ...argv], [registerConfig])
    const text = (calls: readonly { args: readonly unknown[] }[]) => calls.map(({ args }) => String(args[0])).join('')
    return { code, stdout: text(stdout()), stderr: text(stderr()) }
  } finally {
    stdout.restore()
    stderr.restore()
    process.exitCode = exitCode
  }
}

function fileOf(t: Test, text: string): string {
  const file = join(folder(t), 'sallyport.yaml')
  writeFileSync(file, text)
  return file
}

const resource = 'rds-postgres/111122223333/eu-west-1/orders'
const broken = `${minimal}acess: []
resources:
  - { id: ${resource}, endpoint: orders.example.com, resource_id: db-ORDERS }
  - { id: ${resource}, endpoint: orders.example.com, resource_id: db-ORDERS }
`

t.test('a file that is right: ok, a summary and the warnings, exit code 0', async (t) => {
  const file = fileOf(t, minimal)
  t.same(await run(t, 'check', file), {
    code: 0,
    stdout: `${file}:5:3: oidc: there is no client_secret, so the provider must accept a public client
    set client_secret: \${env:OIDC_SECRET} if the provider gave you one

ok: http://localhost:8443, no listeners, no resources, no level sets, no rules; 1 warning
`,
    stderr: '',
  })
})

t.test('every problem, those of rules and resources with the rest, exit code 1', async (t) => {
  const file = fileOf(t, broken)
  const { code, stdout } = await run(t, 'check', file)
  t.equal(code, 1)
  t.match(stdout, `${file}:7:1: acess: unknown key "acess"\n    did you mean access?\n`)
  t.match(stdout, `${file}:10:11: resources[1].id: "${resource}" is already resources[0]\n    remove one of the two\n`)
  t.match(stdout, /\n\d+ problems\n$/)
})

t.test('--json prints one document, and nothing of the configuration itself', async (t) => {
  const wrong = await run(t, 'check', '--json', fileOf(t, broken))
  t.equal(wrong.code, 1)
  t.match(JSON.parse(wrong.stdout), {
    ok: false,
    problems: [{ path: 'acess', line: 7, column: 1, message: 'unknown key "acess"', fix: 'did you mean access?' }],
    warnings: [],
  })
  const right = await run(t, 'check', '--json', fileOf(t, `${minimal}  client_secret: hunter2-hunter2\n`))
  t.equal(right.code, 0)
  t.match(JSON.parse(right.stdout), { ok: true, problems: [], warnings: [{ path: 'oidc.client_secret' }] })
  t.notMatch(right.stdout, 'hunter2')
})

t.test('a name in the file cannot drive the terminal', async (t) => {
  const { stdout } = await run(t, 'check', fileOf(t, `${minimal}"a\\e[31m\\u202e\\n": 1\n`))
  t.notMatch(stdout, /[^\P{Cc}\n]|\p{Cf}/u)
  t.match(stdout, 'unknown key "a\\u001b[31m\\u{202e}\\n"')
})

t.test('no file is a mistake of usage; a missing one is a problem', async (t) => {
  t.match(await run(t, 'check'), { code: 2, stderr: /missing required argument 'file'/ })
  t.match(await run(t, 'check', '/nowhere/a.yaml'), { code: 1, stdout: /\/nowhere\/a\.yaml cannot be read \(ENOENT\)/ })
})

t.test('schema and reference print what is in the repository', async (t) => {
  t.same(await run(t, 'schema'), { code: 0, stdout: renderJsonSchema(kinds), stderr: '' })
  t.same(await run(t, 'reference'), { code: 0, stdout: renderReference(kinds), stderr: '' })
})
