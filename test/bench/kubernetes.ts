/** Requests to an API server: directly, by a relay that does not look at them, and by the broker, which records each. */
import { type Case, chooseCases, measure } from './cases.ts'
import { ask, cpuPerAnswer, exec, pod, podList, watch } from './kubernetes/load.ts'
import { type MeasuredTarget, startTargets } from './kubernetes/targets.ts'
import { type BenchOptions, gate, type Row } from './rows.ts'
import { growth } from './ssm/collected-memory.ts'
import { bareRelay } from './targets.ts'

const connections = [1, 8, 32]
/** Of a blind relay's. */
const budgets = { throughput: 0.85, cpu: 1.35, memory: 1.3, starts: 0.6 }
/** Each is a session of its own to the broker. */
const execsAtOnce = [1, 8, 32]
const watchesOfToken = 250

export async function run(options: BenchOptions): Promise<Row[]> {
  await using closing = new AsyncDisposableStack()
  const memory: Case<MeasuredTarget> = {
    name: `memory of one of ${options.sessions ?? 1000} idle watches`,
    unit: 'KB',
    better: 'less',
    ofProcess: true,
    budget: { peer: bareRelay, ratio: budgets.memory },
    measure: async () => Number.NaN,
  }
  const chosen = chooseCases<Case<MeasuredTarget>>([...casesFor(options.seconds), memory], options)
  const targets = await startTargets(closing, options.against)
  const rows = await measure(
    chosen.filter((one) => one !== memory),
    targets,
    options,
  )
  if (chosen.includes(memory)) rows.push(...(await idleWatches(targets, memory.name, options)))
  return rows.map((row) => ({ bench: 'kubernetes', ...row }))
}

function casesFor(seconds: number): Case<MeasuredTarget>[] {
  const least = { better: 'more' as const, budget: { peer: bareRelay, ratio: budgets.throughput } }
  const many = (count: number) => `${count} connection${count === 1 ? '' : 's'}`
  return [
    ...connections.map((count) => ({
      ...least,
      name: `GET of 1 KB, ${many(count)}`,
      unit: 'requests/s',
      measure: async (target: MeasuredTarget) => {
        const { answers, seconds: taken } = await ask(target, pod, count, seconds)
        return answers / taken
      },
    })),
    ...connections.map((count) => ({
      ...least,
      name: `list of 5 MB, ${many(count)}`,
      unit: 'MB/s',
      measure: async (target: MeasuredTarget) => {
        const { bytes, seconds: taken } = await ask(target, podList, count, seconds)
        return bytes / 1e6 / taken
      },
    })),
    ...execsAtOnce.map((count) => ({
      name: `exec starts, ${count} at a time`,
      unit: 'execs/s',
      better: 'more' as const,
      budget: { peer: bareRelay, ratio: budgets.starts },
      measure: async (target: MeasuredTarget) => {
        const { answers, seconds: taken } = await exec(target, count, seconds)
        return answers / taken
      },
    })),
    ...[
      { what: 'GET of 1 KB', path: pod, answers: 4000 },
      { what: 'list of 5 MB', path: podList, answers: 80 },
    ].map(({ what, path, answers }) => ({
      name: `CPU per ${what}, 8 connections`,
      unit: 'µs',
      better: 'less' as const,
      budget: { peer: bareRelay, ratio: budgets.cpu },
      ofProcess: true,
      warmUp: (target: MeasuredTarget) => cpuPerAnswer(target, path, 8, answers),
      measure: (target: MeasuredTarget) => cpuPerAnswer(target, path, 8, answers),
    })),
  ]
}

/** Of one token not all: it may have so many requests at a time. */
async function idleWatches(
  targets: readonly MeasuredTarget[],
  name: string,
  { sessions = 1000, note }: BenchOptions,
): Promise<Omit<Row, 'bench'>[]> {
  const rows: Omit<Row, 'bench'>[] = []
  let relay = Number.NaN
  for (const target of targets) {
    if (target.pid === undefined) continue
    let of = await target.another()
    let opened = 0
    const open = async () => {
      opened += 1
      if (opened % watchesOfToken === 0) of = await target.another()
      return await watch(of)
    }
    const { pid, inspector } = target
    const value = await growth({ pid, inspector }, open, sessions, (count) => note(`${name}: ${target.name}, ${count}`))
    const row = { case: `${name}: ${target.name}`, unit: 'KB', value }
    if (target.name === bareRelay) relay = value
    const ratio = value / relay
    const judged = target.name === 'broker' ? gate(ratio, budgets.memory, 'less') : { better: 'less' as const }
    rows.push(target.name === bareRelay ? row : { ...row, peer: bareRelay, ratio, ...judged })
  }
  return rows
}
