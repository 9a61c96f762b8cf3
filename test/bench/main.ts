/** `npm run bench -- NAME [options]`: ratios, measured side by side in one run. docs/benchmarks.md has the options. */
import { parseArgs } from 'node:util'
import { type BenchOptions, printRows, type Row } from './rows.ts'

const benches: Readonly<Record<string, () => Promise<{ run(options: BenchOptions): Promise<Row[]> }>>> = {
  audit: () => import('./audit.ts'),
  aws: () => import('./aws.ts'),
  busy: () => import('./busy.ts'),
  connect: () => import('./connect.ts'),
  kubernetes: () => import('./kubernetes.ts'),
  mysql: () => import('./mysql.ts'),
  page: () => import('./page.ts'),
  postgres: () => import('./postgres.ts'),
  push: () => import('./push.ts'),
  ssm: () => import('./ssm.ts'),
  start: () => import('./start.ts'),
  statements: () => import('./statements.ts'),
  sync: () => import('./sync.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    sessions: { type: 'string' },
  },
})
const load = benches[positionals[0] ?? '']
const { json, only, against } = values
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
const sessions = values.sessions === undefined ? undefined : Number(values.sessions)
const [name = ''] = positionals
const hasCases = ['postgres', 'mysql', 'connect', 'kubernetes'].includes(name)
const takesAll = hasCases || (only === undefined && (against === undefined || name === 'start'))
if (!load || !(rounds >= 1) || !(seconds >= 1) || (sessions !== undefined && !(sessions >= 1)) || !takesAll) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--rounds N] [--seconds N] [--json]
names: ${Object.keys(benches)}
postgres, mysql, connect and kubernetes also take: [--only TEXT] [--against DIR]
start also takes: [--against DIR]
busy, ssm and kubernetes also take: [--sessions N]
`,
  )
  process.exitCode = 2
} else {
  const { run } = await load()
  const { isTTY } = process.stderr
  const note = (text: string) => void process.stderr.write(isTTY ? `\r\u001b[K${text}` : `${text}\n`)
  const warn = (text: string) => void process.stderr.write(`${isTTY ? '\r\u001b[K' : ''}${text}\n`)
  const asked = {
    ...(only === undefined ? {} : { only }),
    ...(against === undefined ? {} : { against }),
    ...(sessions === undefined ? {} : { sessions }),
  }
  const rows = await run({ rounds, seconds, ...asked, note, warn })
  if (isTTY) process.stderr.write('\r\u001b[K')
  printRows(rows, json)
  if (rows.some((row) => row.ok === false || Number.isNaN(row.value))) process.exitCode = 1
}
