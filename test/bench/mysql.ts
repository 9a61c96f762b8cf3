/** The MySQL engine beside its peers, and its cost beside that of the PostgreSQL engine, in one interleaved run on one machine. */
import { type Case, chooseCases, measure, type Results } from './cases.ts'
import { besidePostgres, cpuCasesFor } from './mysql/beside-postgres.ts'
import { mysql } from './mysql/engine.ts'
import { bulk, connects, growth, type Load, type MySqlTarget, modes, selects } from './mysql/sysbench.ts'
import { type BenchOptions, gate, median, type Row } from './rows.ts'
import { bareRelay, startTargets } from './targets.ts'

const resultMegabytes = 1024
/** Of a large result, in the daemon's memory. */
const mostGrowth = 0.1

export async function run(options: BenchOptions): Promise<Row[]> {
  const [throughput, cpu, memory] = [throughputCasesFor(options.seconds), cpuCasesFor(options.seconds), [memoryCase]]
  const chosen = new Set(chooseCases([...throughput, ...cpu, ...memory], options).map(({ name }) => name))
  const isChosen = ({ name }: { readonly name: string }) => chosen.has(name)
  if (chosen.size === 0) return []
  await using closing = new AsyncDisposableStack()
  const targets = await startTargets(closing, mysql, [], options)
  const rows = [
    ...(await measure(throughput.filter(isChosen), targets, options)),
    ...(await measure(memory.filter(isChosen), targets, options, memoryRows)),
    ...(await besidePostgres(closing, cpu.filter(isChosen), targets, options)),
  ]
  return rows.map((row) => ({ ...row, bench: 'mysql' }))
}

function throughputCasesFor(seconds: number): Case<MySqlTarget>[] {
  const loads = modes.flatMap((mode) => [1, 8, 32].map((clients) => ({ mode, clients })))
  const casesOf = (load: Load): Case<MySqlTarget>[] => {
    const among = `${load.mode}, ${load.clients} client${load.clients === 1 ? '' : 's'}`
    const budget = load.clients === 8 ? { budget: { peer: bareRelay, ratio: 0.8 } } : {}
    const shared = { better: 'more' as const, ...budget }
    return [
      { name: `point selects, ${among}`, unit: 'tps', ...shared, measure: (target) => selects(target, load, seconds) },
      { name: `bulk results, ${among}`, unit: 'MB/s', ...shared, measure: (target) => bulk(target, load, seconds) },
    ]
  }
  return [
    ...loads.flatMap(casesOf),
    { name: 'connect and SELECT', unit: 'per s', better: 'more', measure: (target) => connects(target, 4, seconds) },
  ]
}

const memoryCase: Case<MySqlTarget> = {
  name: 'growth by a result of 1 GB',
  unit: 'MB',
  better: 'less',
  ofProcess: true,
  measure: (target) => growth(target, resultMegabytes),
}

function memoryRows({ name, unit, better }: Case<MySqlTarget>, results: Results): Omit<Row, 'bench'>[] {
  return [...results].map(([target, values]) => {
    const value = median(values)
    const ratio = value / resultMegabytes
    const row = { case: `${name}: ${target}`, unit, value, better, peer: 'the result', ratio }
    return target === 'broker' ? { ...row, ...gate(ratio, mostGrowth, better) } : row
  })
}
