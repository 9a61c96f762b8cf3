/** The linter lets one file make permits; a forged one is refused at the dial (test/proxy/reach/direct.test.ts). */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'

const root = path.resolve(import.meta.dirname, '../..')
const biome = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@biomejs/biome/package.json')),
  'bin/biome',
)
const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-permits-'))
t.teardown(() => rmSync(dir, { recursive: true }))
copyFileSync(path.join(root, 'biome.json'), path.join(dir, 'biome.json'))
copyFileSync(path.join(root, '.gitignore'), path.join(dir, '.gitignore'))

/** What the linter says of one file in a tree that has nothing else. @returns names of rules */
function lint(file: string, text: string): string[] {
  const target = path.join(dir, file)
  mkdirSync(path.dirname(target), { recursive: true })
  writeFileSync(target, text)
  const args = [biome, 'lint', '--reporter=json', `--config-path=${dir}`, target]
  const { diagnostics, summary } = JSON.parse(run(args)) as {
    diagnostics: { category: string; severity: string }[]
    summary: { errors: number; unchanged: number }
  }
  if (summary.unchanged !== 1) throw new Error(`${file} was not looked at: ${JSON.stringify(summary)}`)
  return diagnostics.filter(({ severity }) => severity === 'error').map(({ category }) => category)
}

function run(args: readonly string[]): string {
  try {
    return execFileSync(process.execPath, args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    return (error as { stdout: string }).stdout // errors of the linter are its exit code 1
  }
}

const importing = (what: string, from: string) => `import { ${what} } from '${from}'\n\nexport const used = ${what}\n`

for (const [file, from] of [
  ['src/planted.ts', '../proxy/permit.ts'],
  ['src/kinds/planted.ts', '../../proxy/permit.ts'],
  ['src/kinds/iam-role/planted.ts', '../../../proxy/permit.ts'],
  ['src/sessions/open-session.ts', '../../proxy/permit.ts'],
  ['src/access/rules/decide.ts', '../../../proxy/permit.ts'],
  ['src/cli/connect/planted.ts', '../../../proxy/permit.ts'],
  ['src/contract/planted.ts', '../../proxy/permit.ts'],
  ['proxy/planted.ts', './permit.ts'],
  ['proxy/relay/relay.ts', '../permit.ts'],
  ['proxy/reach/direct.ts', '../permit.ts'],
  ['proxy/postgres/planted.ts', '../permit.ts'],
  ['proxy/wire/postgres/planted.ts', '../../permit.ts'],
] as const)
  t.test(`${file} may not make permits`, async (t) => {
    t.same(lint(file, importing('makePermit', from)), ['lint/style/noRestrictedImports'])
  })

t.test('nor under another name', async (t) => {
  const text = "import { makePermit as make } from '../proxy/permit.ts'\n\nexport const used = make\n"
  t.same(lint('src/planted.ts', text), ['lint/style/noRestrictedImports'])
})

t.test('the session host may, and what dials may check one', async (t) => {
  t.same(lint('proxy/relay/session-host.ts', importing('makePermit', '../permit.ts')), [])
  t.same(lint('proxy/reach/planted.ts', importing('checkPermit', '../permit.ts')), [])
})
