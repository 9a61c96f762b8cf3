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
const text = (name: string) => readFileSync(path.join(built, 'assets', name), 'utf8')

/** Scripts that a script names, and theirs, with the styles of the same names. */
function withImports(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name) || first.includes(name)) return found
  found.add(name)
  for (const [, imported = ''] of text(name).matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g))
    withImports(imported, found)
  const base = name.replace(/-[^-]+\.js$/, '')
  for (const style of files) if (style.startsWith(`${base}-`) && style.endsWith('.css')) found.add(style)
  return found
}

t.test('the first load, each further screen, and a terminal', async (t) => {
  t.ok(first.some((name) => name.endsWith('.js')))
  t.ok(kilobytes(first) <= budgets.first, `${kilobytes(first).toFixed(1)} kB at first`)
  const screens = files.filter((name) => /-screen-[^.]+\.js$/.test(name))
  t.ok(screens.length > 10)
  const sizes = screens.map((screen) => {
    const all = [...withImports(screen)]
    const own = kilobytes(all.filter((name) => !isEmulator(name)))
    t.ok(own <= budgets.screen, `${screen}: ${own.toFixed(1)} kB`)
    const emulator = kilobytes(all.filter(isEmulator))
    t.ok(emulator <= budgets.terminal, `${screen}: ${emulator.toFixed(1)} kB for a terminal`)
    return { own, emulator }
  })
  t.ok(sizes.some(({ emulator }) => emulator > 50))
  const most = (which: 'own' | 'emulator') => Math.max(...sizes.map((one) => one[which])).toFixed(1)
  t.comment(
    `${kilobytes(first).toFixed(1)} kB at first, ${most('own')} for a screen, ${most('emulator')} for a terminal`,
  )
})

t.test('nothing is loaded from elsewhere', async (t) => {
  t.notMatch(page, /https?:\/\//)
})
