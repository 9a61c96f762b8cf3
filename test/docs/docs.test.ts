import { readFileSync } from 'node:fs'
import t from 'tap'
import { createProgram } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'
import { documents } from './documents.ts'
import { advice } from './error-advice.ts'

for (const [path, render] of Object.entries(documents)) {
  t.test(`${path} is current`, async (t) => {
    const written = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    t.equal(written, await render(), `${path} is stale: run \`npm run docs\` and commit it`)
  })
}

t.test('the advice of docs/errors.md names commands that there are', (t) => {
  const commands = createProgram(registers).commands.map((command) => command.name())
  for (const [code, text] of Object.entries(advice))
    for (const [, name = ''] of text.matchAll(/`sallyport ([a-z-]+)/g))
      t.ok(commands.includes(name), `${code}: ${name}`)
  t.end()
})
