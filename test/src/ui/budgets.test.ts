/** What a browser has to load, as `npm run build:ui` made it: kilobytes of gzip. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const built = path.resolve(import.meta.dirname, '../../../dist/ui')
const files = readdirSync(path.join(built, 'assets')).filter((name) => /\.(?:js|css)$/.test(name))
const page = readFileSync(path.join(built, 'index.html'), 'utf8')
const kilobytes = (names: readonly string[]) =>
  names.reduce((sum, name) => sum + statSync(path.join(built, 'assets', `${name}.gz`)).size, 0) / 1000

/** With everything that a first page brings; the emulator comes with terminals alone, live or recorded. */
const budgets = { first: 175, screen: 35, terminal: 130 } as const

const first = files.filter((name) => page.includes(name))
const isEmulator = (name: string) => /^(?:terminal|themes)-/.test(name)

t.test('the first load, a further screen, and a terminal', async (t) => {
  const terminal = files.filter(isEmulator)
  const further = files.filter((name) => !first.includes(name) && !isEmulator(name))
  t.ok(first.some((name) => name.endsWith('.js')) && terminal.some((name) => name.endsWith('.js')))
  t.ok(kilobytes(first) <= budgets.first, `${kilobytes(first).toFixed(1)} kB at first`)
  t.ok(kilobytes(terminal) <= budgets.terminal, `${kilobytes(terminal).toFixed(1)} kB for a terminal`)
  // Together they are less than what one may be.
  t.ok(kilobytes(further) <= budgets.screen, `${kilobytes(further).toFixed(1)} kB for all further screens`)
  t.comment([first, further, terminal].map((names) => kilobytes(names).toFixed(1)).join(' and '), 'kB')
})

t.test('nothing is loaded from elsewhere', async (t) => {
  t.notMatch(page, /https?:\/\//)
})
