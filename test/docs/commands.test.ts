/** What the pages and files for operators tell people to type is there: commands, their options, and the files that they name. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { faultOf } from './command-faults.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const files = globSync(['README.md', 'docs/*.md', 'docs/decisions/*.md', 'deploy/**/*'], { cwd: root }).filter((file) =>
  /\.(md|yaml|service|cfg)$/.test(file),
)

/** What is in a text as `sallyport …`: in backquotes, as a line of shell, or as such a line behind `#`. */
function typedIn(text: string): string[] {
  const quoted = [...text.matchAll(/`sallyport ([^`]+)`/g)].map(([, it = '']) => it)
  const lines = [...text.matchAll(/^(?:# +)?(?:\S*\/bin\/|ExecStart=\S*\/)?sallyport (.+)$/gm)].map(([, it = '']) => it)
  return [...quoted, ...lines]
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
