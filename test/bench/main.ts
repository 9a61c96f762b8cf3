/** `npm run bench -- NAME [--rounds N] [--seconds N] [--json]`: ratios, measured side by side in one run. */
import { parseArgs } from 'node:util'
import { type BenchOptions, printRows, type Row } from './rows.ts'

const benches: Readonly<Record<string, () => Promise<{ run(options: BenchOptions): Promise<Row[]> }>>> = {
  aws: () => import('./aws.ts'),
  postgres: () => import('./postgres.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
})
const load = benches[positionals[0] ?? '']
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
if (!load || !(rounds >= 1) || !(seconds >= 1)) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--rounds N] [--seconds N] [--json]\nnames: ${Object.keys(benches)}\n`,
  )
  process.exitCode = 2
} else {
  const { run } = await load()
  const note = (text: string) => void process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`)
  const rows = await run({ rounds, seconds, note })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  printRows(rows, values.json)
  if (rows.some((row) => row.ok === false)) process.exitCode = 1
}
