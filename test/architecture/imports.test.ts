/**
 * Imports point one way: a room imports from rooms below it, never from above, and no file reaches itself. Files and
 * folders stay small enough to be read.
 */
import { dirname } from 'node:path'
import t from 'tap'
import { findCircles, importsOf, readSources, type SourceFile } from './source-tree.ts'

/** Lowest first. A file belongs to the room with the longest matching name. */
const rooms = [
  'proxy/wire',
  'proxy', // the files at its top: the contract of both planes
  'proxy/streams',
  'proxy/recording',
  'proxy/ports',
  'proxy/ssm',
  'proxy/reach',
  'proxy/relay',
  'proxy/postgres',
  'proxy/mysql',
  'proxy/shell',
  'proxy/tcp',
  'proxy/copy',
  'proxy/kubernetes',
  'proxy/local',
  'proxy/protocols.ts', // the list of engines
  'src/contract',
  'src/telemetry',
  'src/store',
  'src/peers',
  'src/catalog',
  'src/config',
  'src/recordings',
  'src/audit',
  'src/daemons',
  'src/identity',
  'src/access',
  'src/sessions',
  'src/aws',
  'src/inventory',
  'src/pushed',
  'src/kinds',
  'src/validations',
  'src/http',
  'src/daemon',
  'src/cli',
  'src/main.ts',
  'src/ui',
]

/** What commands may use: they talk to the daemon as every other client does. */
const clientSide = [
  'src/cli',
  'src/contract/ask.ts',
  'src/telemetry',
  'proxy/local',
  'proxy/ports',
  'proxy/session.ts',
  'proxy/duration.ts',
  'proxy/ending.ts',
  'proxy/printable.ts',
  'proxy/constant-time.ts',
]
/** Commands that start the daemon, or work on its files without it. */
const daemonSide = [
  'src/cli/operate/restore.ts',
  'src/cli/operate/store.ts',
  'src/cli/operate/serve.ts',
  'src/cli/operate/config.ts',
  'src/cli/operate/audit.ts',
  'src/cli/operate/backup.ts',
  'src/cli/aws/policies.ts',
  'src/cli/aws/onboarding-files.ts',
]

const longestFile = 400
const fullestFolder = 24

const files = readSources(['src', 'proxy'])

t.test('every import leads to a file of src or proxy, or to a package', async (t) => {
  const paths = new Set(files.map(({ path }) => path))
  t.same(
    edges(files).filter(({ to }) => !paths.has(to) && !/\.(?:json|css)$/.test(to)),
    [],
  )
})

t.test('every file has a room', async (t) => {
  t.same(
    files.filter(({ path }) => roomOf(path) < 0).map(({ path }) => path),
    [],
    'name a new room, at its place, in this test',
  )
})

t.test('no room imports from one above it', async (t) => {
  const upward = edges(files).filter(({ from, to }) => roomOf(to) > roomOf(from))
  t.same(
    upward.map(({ from, to }) => `${from} → ${to}`),
    [],
  )
})

t.test('no import runs in a circle', async (t) => {
  const circles = findCircles(files).map((circle) => circle.join(' ↔ '))
  t.same(circles, [])
})

t.test('the data plane imports nothing of the control plane', async (t) => {
  t.same(
    edges(files).filter(({ from, to }) => from.startsWith('proxy/') && !to.startsWith('proxy/')),
    [],
  )
})

t.test('commands import the contract and what runs on the engineer’s machine', async (t) => {
  const beyond = edges(files).filter(
    ({ from, to, isTypeOnly }) =>
      isIn(from, ['src/cli']) &&
      !isIn(from, daemonSide) &&
      !isIn(to, clientSide) &&
      !(isTypeOnly && isIn(to, ['src/contract'])) &&
      to !== 'package.json',
  )
  t.same(beyond, [])
})

t.test('the page imports the contract and pure functions, and xterm in one folder', async (t) => {
  const pure = [
    'src/ui',
    'src/contract/ask.ts',
    'src/contract/audit-types.ts',
    'proxy/duration.ts',
    'proxy/local/shell-quote.ts',
    'proxy/local/terminal-position.ts',
  ]
  const beyond = edges(files).filter(
    ({ from, to, isTypeOnly }) =>
      isIn(from, ['src/ui']) && !isIn(to, pure) && !(isTypeOnly && isIn(to, ['src/contract'])) && !to.endsWith('.css'),
  )
  t.same(beyond, [])
  const emulators = files.filter(({ imports }) => imports.some(({ specifier }) => specifier.startsWith('@xterm/')))
  t.ok(emulators.length > 0)
  t.same(
    emulators.map(({ path }) => dirname(path)).filter((folder) => folder !== 'src/ui/terminal'),
    [],
  )
})

t.test(`no file is longer than ${longestFile} lines`, async (t) => {
  const long = files.filter(({ lines }) => lines > longestFile).map(({ path }) => path)
  t.same(long, [])
})

t.test(`no folder holds more than ${fullestFolder} files`, async (t) => {
  const counts = new Map<string, number>()
  for (const { path } of files) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
  t.same(
    [...counts].filter(([, count]) => count > fullestFolder),
    [],
  )
})

t.test('imports are found in every form that the code uses', async (t) => {
  const text = `
import { a } from './a.ts'
import type { B } from '../b.ts'
import {
  type C,
  d,
} from './c.ts'
import './e.ts'
export * from './f.ts'
export type { G } from './g.ts'
/** {@link import('./comment.ts').Comment} */
// import('./comment.ts')
const h = await import('./h.ts')
const i: import('./i.ts').I = 'import'
declare module '../j.ts' {
import k from 'k'
export const from = './text.ts'
`
  t.same(
    importsOf(text, 'x/y/z.ts')
      .map(({ path, specifier, isTypeOnly }) => [path ?? specifier, isTypeOnly])
      .sort(),
    [
      ['k', false],
      ['x/b.ts', true],
      ['x/j.ts', true],
      ['x/y/a.ts', false],
      ['x/y/c.ts', false],
      ['x/y/e.ts', false],
      ['x/y/f.ts', false],
      ['x/y/g.ts', true],
      ['x/y/h.ts', false],
      ['x/y/i.ts', false],
    ],
  )
})

t.test('circles are found', async (t) => {
  const file = (path: string, ...to: string[]): SourceFile => ({
    path,
    lines: 1,
    imports: to.map((path) => ({ path, specifier: path, isTypeOnly: false })),
  })
  t.same(
    findCircles([file('a', 'b'), file('b', 'c', 'd'), file('c', 'a'), file('d', 'e'), file('e'), file('f', 'f')]),
    [['a', 'b', 'c'], ['f']],
  )
})

interface Edge {
  readonly from: string
  readonly to: string
  readonly isTypeOnly: boolean
}

function edges(files: readonly SourceFile[]): Edge[] {
  return files.flatMap(({ path: from, imports }) =>
    imports.flatMap(({ path: to, isTypeOnly }) => (to === undefined ? [] : [{ from, to, isTypeOnly }])),
  )
}

/** `src/daemon` is the folder and `src/daemon.ts`. */
function isIn(path: string, names: readonly string[]): boolean {
  return names.some((name) => path === name || path === `${name}.ts` || path.startsWith(`${name}/`))
}

function roomOf(path: string): number {
  let found = -1
  for (const [at, room] of rooms.entries())
    if (isIn(path, [room]) && room.length > (rooms[found]?.length ?? 0)) found = at
  return found
}
