/** New database sessions beside their peers: what one costs the broker, with either store. */
import { type Case, measureCases } from './cases.ts'
import { postgres } from './postgres/engine.ts'
import { connects, cpuPerSession, type PostgresTarget } from './postgres/pgbench.ts'
import type { BenchOptions, Row } from './rows.ts'
import { bareRelay } from './targets.ts'

export function run(options: BenchOptions): Promise<Row[]> {
  const shared = { name: 'broker, store in PostgreSQL', isStoreShared: true }
  return measureCases('connect', postgres, casesFor(options.seconds), [shared], options)
}

function casesFor(seconds: number): Case<PostgresTarget>[] {
  return [
    {
      name: 'CPU per new session',
      unit: 'ms',
      better: 'less',
      budget: { peer: bareRelay, ratio: 3 },
      ofProcess: true,
      warmUp: (target) => cpuPerSession(target, 8, 75),
      measure: (target) => cpuPerSession(target, 8, 12),
    },
    { name: 'connect and SELECT', unit: 'per s', better: 'more', measure: (target) => connects(target, 4, seconds) },
  ]
}
