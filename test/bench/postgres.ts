/** The PostgreSQL engine beside its peers, in one interleaved run on one machine: what goes through, and what it costs. */
import { type Case, measureCases } from './cases.ts'
import { postgres } from './postgres/engine.ts'
import { copyOut, cpuPerTransaction, type Mode, type PostgresTarget, selects } from './postgres/pgbench.ts'
import type { BenchOptions, Row } from './rows.ts'
import { bareRelay } from './targets.ts'

export function run(options: BenchOptions): Promise<Row[]> {
  const cases = [...casesFor(options.seconds), ...cpuCasesFor(options.seconds)]
  const strict = { name: 'broker, recording: strict', level: { recording: 'strict' } }
  return measureCases('postgres', postgres, cases, [strict], options)
}

function casesFor(seconds: number): Case<PostgresTarget>[] {
  const budgets = new Map([
    [8, 0.7],
    [32, 0.62],
  ])
  const least = (ratio: number | undefined) => (ratio === undefined ? {} : { budget: { peer: 'PgBouncer', ratio } })
  return [
    ...[1, 8, 32].map((clients) => ({
      name: `pgbench -S, ${clients} client${clients === 1 ? '' : 's'}`,
      unit: 'tps',
      better: 'more' as const,
      ...least(budgets.get(clients)),
      measure: (target: PostgresTarget) => selects(target, clients, seconds),
    })),
    {
      name: 'COPY out, 256 MB',
      unit: 'MB/s',
      better: 'more',
      ...least(0.9),
      measure: (target) => copyOut(target, 256),
    },
  ]
}

/** Of the process between client and PostgreSQL, so that *direct* has no part in them. */
function cpuCasesFor(seconds: number): Case<PostgresTarget>[] {
  const most = (ratio: number) => ({ better: 'less' as const, budget: { peer: bareRelay, ratio }, ofProcess: true })
  const perTransaction = (mode: Mode, ratio: number): Case<PostgresTarget> => ({
    name: `CPU per transaction, 8 clients, ${mode}`,
    unit: 'µs',
    ...most(ratio),
    warmUp: (target) => cpuPerTransaction(target, mode, 8, 1),
    measure: (target) => cpuPerTransaction(target, mode, 8, seconds),
  })
  return [perTransaction('simple', 1.4), perTransaction('prepared', 1.5)]
}
