/** Each promise of the list beside this file names a test that is there. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(import.meta.resolve('../../'))
const list = readFileSync(new URL('README.md', import.meta.url), 'utf8')
const rows = [...list.matchAll(/^\| `([^`]+)` +\| .+ \| `(test\/[^`]+)` +\| (.+?) +\|$/gm)]

t.test('each promise names a test', async (t) => {
  t.ok(rows.length > 14)
  for (const [, label, file = '', test = ''] of rows) {
    const lines = existsSync(`${root}${file}`) ? readFileSync(`${root}${file}`, 'utf8').split('\n') : []
    const isNamed = lines.some(
      (line) => line.includes(test) && /['"`]/.test(line) && !/^\s*(?:\/\/|\*|\/\*\*)/.test(line),
    )
    t.ok(isNamed, `${label}: ${file}: ${test}`)
  }
})
