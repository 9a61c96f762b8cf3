import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createProgram } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'
import { startCommand } from '../sandbox/commands.ts'
import { freePort } from '../sandbox/ports.ts'
import { waitUntil } from '../wait-until.ts'

// Each command is a process of its own, which takes long on a busy machine.
t.setTimeout(120_000)

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const readme = read('README.md')
const shell = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'))
const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

t.test('what the README types as somebody of the demo, the tour types too, with its outcome checked', (t) => {
  const tour = read('test/sandbox/tour.ts')
  const typed = shell.filter((line) => line.startsWith('./.demo/'))
  t.ok(typed.length >= 8)
  for (const line of typed) {
    const [, person = '', command = ''] = /^\.\/\.demo\/(\w+) (.*)$/.exec(line) ?? []
    const text = quote(command).replace(/REQUEST|GRANT|SESSION/g, '\\$\\{[^}]+\\}( --yes)?')
    t.match(tour, new RegExp(`'${person}',\\s+['\`]${text}['\`]`), line)
  }
  t.end()
})

t.test('every npm script that the README names is there', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const [, name = ''] of readme.matchAll(/npm run ([a-z]+)/g)) t.ok(scripts[name], name)
  t.end()
})

t.test('every command of `sallyport` that the README names is there, and all of them are named', (t) => {
  const names = commandNames()
  const [table = ''] = /\| engineer[\s\S]*?\n\n/.exec(readme) ?? []
  const named = [...table.matchAll(/`([a-z -]+)`/g)].map(([, name = '']) => name)
  for (const name of named)
    t.ok(
      names.some((one) => one === name || one.startsWith(`${name} `)),
      name,
    )
  const alone = names.filter((name) => !named.some((one) => one === name || name.startsWith(`${one} `)))
  t.same(alone, [], 'commands that the README does not name')
  t.end()
})

t.test('every command has its place on the page, or a reason', (t) => {
  const [, table = ''] = read('docs/page.md').split('| command | on the page |')
  const named = [...table.matchAll(/^\| `([a-z -]+)` \| \S.* \|$/gm)].map(([, name = '']) => name)
  t.same(named.sort(), commandNames().sort())
  t.end()
})

function commandNames(): string[] {
  return createProgram(registers).commands.flatMap((one) =>
    one.commands.length > 0 ? one.commands.map((sub) => `${one.name()} ${sub.name()}`) : [one.name()],
  )
}

t.test('every page that the README points to is there', (t) => {
  for (const [, file = ''] of readme.matchAll(/\]\(([^)#:]+)\)/g)) t.ok(existsSync(path.join(root, file)), file)
  t.end()
})

t.test('config check and serve, with the minimal configuration', async (t) => {
  t.ok(shell.includes('npm run sallyport -- config check config/minimal.yaml'))
  t.ok(shell.includes('npm run sallyport -- serve --config config/minimal.yaml'))
  const main = path.join(root, 'src/main.ts')
  const checked = spawnSync(process.execPath, [main, 'config', 'check', path.join(root, 'config/minimal.yaml')])
  t.equal(checked.status, 0, String(checked.stderr))
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-readme-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const port = await freePort()
  const more = `  listen: 127.0.0.1:${port}\n  metrics_listen: 127.0.0.1:${await freePort()}\n`
  const file = path.join(dir, 'sallyport.yaml')
  const here = read('config/minimal.yaml').replaceAll('8443', String(port))
  writeFileSync(file, here.replace(/(public_url: .*\n)/, `$1${more}`)) // free ports, and data beside it
  const daemon = startCommand(process.execPath, [main, 'serve', '--config', file])
  await waitUntil(
    () => daemon.output.includes('"ready"'),
    () => daemon.output,
    60_000,
  )
  t.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200)
  daemon.child.kill('SIGTERM')
  t.equal((await daemon.ended).code, 0, daemon.output)
})
