/** What a browser has to load, as `npm run build:ui` made it: kilobytes of gzip. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const built = path.resolve(import.meta.dirname, '../../../dist/ui')
const files = readdirSync(path.join(built, 'assets')).filter((name) => /\.(?:js|css)$/.test(name))
const page = readFileSync(path.join(built, 'index.html'), 'utf8')
const kilobytes = (names: readonly string[]) =>
  names.reduce((sum, name) => sum + statSync(path.join(built, 'assets', `${name}.gz`)).size, 0) / 1000

/** With everything that a first page brings; the emulator comes with the terminal alone. */
const budgets = { first: 175, terminal: 130 } as const

t.test('the first load, and a terminal', async (t) => {
  const first = files.filter((name) => page.includes(name))
  const terminal = files.filter((name) => name.startsWith('terminal-'))
  t.same([...first, ...terminal].sort(), [...files].sort(), 'every file has a budget')
  t.ok(first.some((name) => name.endsWith('.js')) && terminal.some((name) => name.endsWith('.js')))
  t.ok(kilobytes(first) <= budgets.first, `${kilobytes(first).toFixed(1)} kB at first`)
  t.ok(kilobytes(terminal) <= budgets.terminal, `${kilobytes(terminal).toFixed(1)} kB for a terminal`)
  t.comment(`${kilobytes(first).toFixed(1)} and ${kilobytes(terminal).toFixed(1)} kB`)
})

t.test('nothing is loaded from elsewhere', async (t) => {
  t.notMatch(page, /https?:\/\//)
})
