import { readFileSync } from 'node:fs'
import t from 'tap'
import { documents } from './documents.ts'

for (const [path, render] of Object.entries(documents)) {
  t.test(`${path} is current`, (t) => {
    const written = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    t.equal(written, render(), `${path} is stale: run \`npm run docs\` and commit it`)
    t.end()
  })
}
