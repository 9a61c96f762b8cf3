import { spawnSync } from 'node:child_process'
import { hasCpuClock } from './cpu.ts'
import type { Target } from './pgbench.ts'
import { figure, measureRound } from './rounds.ts'
import { type BenchOptions, type Better, gate, median, medianRatio, type Row } from './rows.ts'
import { type BrokerVariant, startTargets } from './targets.ts'

/** One figure of each target. */
export interface Case {
  readonly name: string
  readonly unit: string
  readonly better: Better
  /** The ratio to one of the peers that the design allows. */
  readonly budget?: { readonly peer: string; readonly ratio: number }
  /** Measures the proxy's process: not for PostgreSQL itself, and for Linux only. */
  readonly ofProcess?: boolean
  /** Before the first round; the figure doesn't count. */
  warmUp?(target: Target): Promise<number>
  measure(target: Target): Promise<number>
}

/** Rounds of each case in turn, interleaved over the targets. */
export async function measureCases(
  bench: string,
  all: readonly Case[],
  variants: readonly BrokerVariant[],
  options: BenchOptions,
): Promise<Row[]> {
  if (spawnSync('pgbench', ['--version']).status !== 0)
    throw new Error('pgbench is not installed: apt-get install postgresql-contrib')
  const cases = chooseCases(all, options)
  if (cases.length === 0) return []
  const closing = new AsyncDisposableStack()
  try {
    options.note('starting PostgreSQL, the broker and its peers')
    const targets = await startTargets(closing, variants, options.against)
    return (await measure(cases, targets, options)).map((row) => ({ ...row, bench }))
  } finally {
    await closing.disposeAsync()
  }
}

function chooseCases(all: readonly Case[], { only = '', warn }: BenchOptions): Case[] {
  const chosen = all.filter((one) => one.name.includes(only))
  if (chosen.length === 0)
    throw new Error(`no case has "${only}" in its name: ${all.map((one) => one.name).join('; ')}`)
  if (hasCpuClock()) return chosen
  const possible = chosen.filter((one) => !one.ofProcess)
  if (possible.length < chosen.length) warn('CPU is not measured: this system has no /proc/PID/task/*/schedstat')
  return possible
}

async function measure(
  cases: readonly Case[],
  targets: readonly Target[],
  options: BenchOptions,
): Promise<Omit<Row, 'bench'>[]> {
  const { rounds } = options
  const rows: Omit<Row, 'bench'>[] = []
  for (const one of cases) {
    const taking = targets.filter(({ pid }) => !one.ofProcess || pid !== undefined)
    for (const target of one.warmUp ? taking : [])
      await figure(`${one.name}: warm-up, ${target.name}`, async () => one.warmUp?.(target), options)
    const results = new Map(taking.map((target) => [target.name, [] as number[]]))
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? taking : taking.toReversed()
      const figures = await measureRound(one, order, `${one.name}: round ${round + 1} of ${rounds}`, options)
      for (const [target, value] of figures) results.get(target)?.push(value)
    }
    rows.push(...rowsOf(one, results))
  }
  return rows
}

function rowsOf(
  { name, unit, better, budget }: Case,
  results: ReadonlyMap<string, readonly number[]>,
): Omit<Row, 'bench'>[] {
  const broker = results.get('broker') ?? []
  return [...results].map(([target, values]) => {
    const row = { case: `${name}: ${target}`, unit, value: median(values), better }
    if (target === 'broker') return row
    const ratio = medianRatio(broker, values)
    return { ...row, peer: target, ratio, ...(target === budget?.peer ? gate(ratio, budget.ratio, better) : {}) }
  })
}
