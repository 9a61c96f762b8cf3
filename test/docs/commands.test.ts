/** What the pages and files for operators tell people to type is there: commands, their options, and the files that they name. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import t from 'tap'
import { createProgram } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const files = globSync(['README.md', 'docs/*.md', 'docs/decisions/*.md', 'deploy/**/*'], { cwd: root }).filter((file) =>
  /\.(md|yaml|service|cfg)$/.test(file),
)
const program = createProgram(registers)

/** What is in a text as `sallyport …`: in backquotes, as a line of shell, or as such a line behind `#`. */
function typedIn(text: string): string[] {
  const quoted = [...text.matchAll(/`sallyport ([^`]+)`/g)].map(([, it = '']) => it)
  const lines = [...text.matchAll(/^(?:# +)?(?:\S*\/bin\/|ExecStart=\S*\/)?sallyport (.+)$/gm)].map(([, it = '']) => it)
  return [...quoted, ...lines]
}

/** What is wrong with a command; undefined: it is there, with its options. */
function faultOf(typed: string): string | undefined {
  const words = typed
    .replaceAll(/\s+/g, ' ')
    .replace(/ # .*$/, '')
    .split(' ')
  let command: Command = program
  while (words[0] !== undefined && command.commands.length > 0) {
    const next = command.commands.find((one) => one.name() === words[0] || one.aliases().includes(words[0] ?? ''))
    if (!next) break
    command = next
    words.shift()
  }
  if (command === program && !/^[A-Z]+$/.test(words[0] ?? '')) return `no command ${words[0]}`
  const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short])
  known.push('--help')
  const end = words.indexOf('--')
  const unknown = (end < 0 ? words : words.slice(0, end)).find(
    (word) => /^--?[a-z]/.test(word) && !known.includes(word),
  )
  return unknown && `${command.name()} has no option ${unknown}`
}

t.test('every `sallyport …` is a command, with its options', (t) => {
  let count = 0
  for (const file of files)
    for (const typed of typedIn(readFileSync(path.join(root, file), 'utf8'))) {
      count += 1
      const fault = faultOf(typed)
      t.equal(fault, undefined, `${file}: sallyport ${typed}`)
    }
  t.ok(count > 40, `${count} were found`)
  t.ok(faultOf('store copy --form x'), 'and others are found out')
  t.ok(faultOf('stores copy'))
  t.end()
})

t.test('the header of deploy/compose/compose.yaml names files that are there', (t) => {
  const text = readFileSync(path.join(root, 'deploy/compose/compose.yaml'), 'utf8')
  const [, file = ''] = /^# +docker compose --file (\S+) up/m.exec(text) ?? []
  t.equal(file, 'deploy/compose/compose.yaml')
  t.ok(existsSync(path.join(root, 'Dockerfile')), 'docker build .')
  const ignored = readFileSync(path.join(root, 'deploy/compose/.gitignore'), 'utf8').trim().split('\n')
  const written = [...text.matchAll(/> deploy\/compose\/(\S+)|-p deploy\/compose\/(\S+)/g)].map(
    ([, a, b]) => a ?? `${b}/`,
  )
  t.same(written.sort(), ignored.sort(), 'secrets that people put there are neither committed nor packed')
  t.end()
})
