/** Each label of the list beside this file is in the name of a test. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(import.meta.resolve('../../../'))
const list = readFileSync(new URL('README.md', import.meta.url), 'utf8')
const labels = [...list.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, label = '']) => label)

/** Names of tests: also those of tables, whose loops make names of their keys. */
const names = globSync('test/{proxy,e2e,src,sandbox-tests}/**/*.test.ts', { cwd: root })
  .filter((file) => !file.endsWith('checklist.test.ts'))
  .flatMap((file) => readFileSync(`${root}${file}`, 'utf8').split('\n'))
  .filter((line) => /['"`]/.test(line) && !/^\s*(?:\/\/|\*|\/\*\*)/.test(line))

t.test('each label is in the name of a test', async (t) => {
  t.ok(labels.length > 40)
  for (const label of labels)
    t.ok(
      names.some((line) => new RegExp(`${label.replaceAll('.', '\\.')}(?![0-9])`).test(line)),
      label,
    )
})
