/**
 * What a statement and a session cost the broker, for both engines in the same rounds: each as a ratio to the bare relay of its own
 * protocol, so that the two ratios can be compared.
 */
import { type Case, measure, type Results, rowsOf } from '../cases.ts'
import { postgres } from '../postgres/engine.ts'
import * as pgbench from '../postgres/pgbench.ts'
import type { Target } from '../rounds.ts'
import { type BenchOptions, gate, median, type Row } from '../rows.ts'
import { bareRelay, startTargets } from '../targets.ts'
import { cpuPerSession, cpuPerTransaction, type Mode, type MySqlTarget, modes } from './sysbench.ts'

/** A target of either engine under load. */
export interface Loaded extends Target {
  /** µs of its CPU for a point select, among eight clients. */
  perTransaction(mode: Mode, seconds: number): Promise<number>
  /** ms of its CPU for a session, among eight clients. */
  perSession(perClient: number): Promise<number>
}

const clients = 8
const ofPostgres = 'PostgreSQL: '

export function cpuCasesFor(seconds: number): Case<Loaded>[] {
  return [
    ...modes.map((mode) => ({
      name: `CPU per transaction, ${clients} clients, ${mode}`,
      unit: 'µs',
      better: 'less' as const,
      ofProcess: true,
      warmUp: (target: Loaded) => target.perTransaction(mode, 1),
      measure: (target: Loaded) => target.perTransaction(mode, seconds),
    })),
    {
      name: 'CPU per new session',
      unit: 'ms',
      better: 'less',
      ofProcess: true,
      warmUp: (target) => target.perSession(75),
      measure: (target) => target.perSession(12),
    },
  ]
}

export async function besidePostgres(
  closing: AsyncDisposableStack,
  cases: readonly Case<Loaded>[],
  targets: readonly MySqlTarget[],
  options: BenchOptions,
): Promise<Omit<Row, 'bench'>[]> {
  if (cases.length === 0) return []
  const theirs = await startTargets(closing, postgres, [], { note: options.note })
  const compared = theirs.filter(({ name }) => name === bareRelay || name === 'broker')
  return await measure(cases, [...targets.map(loadedMysql), ...compared.map(loadedPostgres)], options, toRows)
}

function loadedMysql(target: MySqlTarget): Loaded {
  return {
    ...target,
    perTransaction: (mode, seconds) => cpuPerTransaction(target, { mode, clients }, seconds),
    perSession: (perClient) => cpuPerSession(target, clients, perClient),
  }
}

function loadedPostgres(target: pgbench.PostgresTarget): Loaded {
  const modeOf = { text: 'simple', prepared: 'prepared' } as const
  return {
    ...target,
    name: `${ofPostgres}${target.name}`,
    perTransaction: (mode, seconds) => pgbench.cpuPerTransaction(target, modeOf[mode], clients, seconds),
    perSession: (perClient) => pgbench.cpuPerSession(target, clients, perClient),
  }
}

/** Of a case, the figures of each engine, and how the one's ratio to its relay stands to the other's. */
export function toRows(one: Pick<Case<Loaded>, 'name' | 'unit' | 'better'>, results: Results): Omit<Row, 'bench'>[] {
  const all = [...results]
  const theirs = new Map(
    all.flatMap(([name, values]) => (name.startsWith(ofPostgres) ? [[name.slice(ofPostgres.length), values]] : [])),
  )
  const ours = new Map(all.filter(([name]) => !name.startsWith(ofPostgres)))
  const ratio = median(ratios(ours).map((value, round) => value / (ratios(theirs)[round] ?? Number.NaN)))
  return [
    ...rowsOf(one, ours),
    ...rowsOf({ ...one, name: `${one.name}, PostgreSQL` }, theirs),
    {
      case: `${one.name}: broker ÷ ${bareRelay}`,
      unit: '×',
      value: median(ratios(ours)),
      peer: 'PostgreSQL’s',
      ratio,
      ...gate(ratio, 1, 'less'),
    },
  ]
}

function ratios(results: Results): number[] {
  const relay = results.get(bareRelay) ?? []
  return (results.get('broker') ?? []).map((value, round) => value / (relay[round] ?? Number.NaN))
}
