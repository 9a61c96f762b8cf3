import { hasCpuClock } from './cpu.ts'
import { figure, measureRound, type Target } from './rounds.ts'
import { type BenchOptions, type Better, gate, median, medianRatio, type Row } from './rows.ts'
import { type BrokerVariant, type Engine, startTargets } from './targets.ts'

/** What `--only` chooses from. */
interface Chosen {
  readonly name: string
  /** Measures the proxy's process: not for the database itself, and for Linux only. */
  readonly ofProcess?: boolean
}

/** One figure of each target. */
export interface Case<T extends Target> extends Chosen {
  readonly unit: string
  readonly better: Better
  /** The ratio to one of the peers that the design allows. */
  readonly budget?: { readonly peer: string; readonly ratio: number }
  /** Before the first round; the figure doesn't count. */
  warmUp?(target: T): Promise<number>
  measure(target: T): Promise<number>
}

/** Rounds of each case in turn, interleaved over the targets of one engine. */
export async function measureCases<T extends Target>(
  bench: string,
  engine: Engine<T>,
  all: readonly Case<T>[],
  variants: readonly BrokerVariant[],
  options: BenchOptions,
): Promise<Row[]> {
  const cases = chooseCases(all, options)
  if (cases.length === 0) return []
  await using closing = new AsyncDisposableStack()
  const targets = await startTargets(closing, engine, variants, options)
  return (await measure(cases, targets, options)).map((row) => ({ ...row, bench }))
}

/** @throws Error when none has that in its name */
export function chooseCases<C extends Chosen>(all: readonly C[], { only = '', warn }: BenchOptions): C[] {
  const chosen = all.filter((one) => one.name.includes(only))
  if (chosen.length === 0)
    throw new Error(`no case has "${only}" in its name: ${all.map((one) => one.name).join('; ')}`)
  if (hasCpuClock()) return chosen
  const possible = chosen.filter((one) => !one.ofProcess)
  if (possible.length < chosen.length) warn('CPU is not measured: this system has no /proc/PID/task/*/schedstat')
  return possible
}

/** @param toRows what is made of the figures of one case, by target and round */
export async function measure<T extends Target>(
  cases: readonly Case<T>[],
  targets: readonly T[],
  options: BenchOptions,
  toRows: (one: Case<T>, results: Results) => Omit<Row, 'bench'>[] = rowsOf,
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
    rows.push(...toRows(one, results))
  }
  return rows
}

/** Figures of each round, by target. */
export type Results = ReadonlyMap<string, readonly number[]>

export function rowsOf(
  { name, unit, better, budget }: Pick<Case<Target>, 'name' | 'unit' | 'better' | 'budget'>,
  results: Results,
): Omit<Row, 'bench'>[] {
  const broker = results.get('broker') ?? []
  return [...results].map(([target, values]) => {
    const row = { case: `${name}: ${target}`, unit, value: median(values), better }
    if (target === 'broker') return row
    const ratio = medianRatio(broker, values)
    return { ...row, peer: target, ratio, ...(target === budget?.peer ? gate(ratio, budget.ratio, better) : {}) }
  })
}
