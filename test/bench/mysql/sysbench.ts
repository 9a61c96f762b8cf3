/**
 * sysbench 1.0 and the mariadb client. With `--mysql-ssl` sysbench takes `cacert.pem`, `client-cert.pem` and `client-key.pem` of its
 * working directory, always all three; its library answers caching_sha2_password and mysql_clear_password by plugins of its own, so
 * that a connect token is nothing but a password.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpuOfSessions, SteadyCpu } from '../cpu.ts'
import { residentMegabytes } from '../memory.ts'
import type { Target } from '../rounds.ts'
import { run } from '../run-program.ts'

/** Where sysbench and the mariadb client connect, and as whom. */
export interface MySqlTarget extends Target {
  /** With sysbench's files of TLS. */
  readonly dir: string
  /** sysbench's options in a file; the password is among them, never among the arguments. */
  readonly options: string
  /** The same for the mariadb client. */
  readonly defaults: string
}

/** How sysbench sends its statements (`--db-ps-mode`): COM_QUERY, or COM_STMT_EXECUTE. */
export type Mode = 'text' | 'prepared'

export const modes: readonly Mode[] = ['text', 'prepared']
const tableRows = 100_000

export interface Load {
  readonly mode: Mode
  readonly clients: number
}

/** Point selects per second, each a statement of its own. */
export async function selects(target: MySqlTarget, load: Load, seconds: number): Promise<number> {
  return rate(await sysbench(target, pointSelects, load, [`--time=${seconds}`]))
}

/** Megabytes of values per second, in results of 5,000 rows with one text of 119 characters each. */
export async function bulk(target: MySqlTarget, load: Load, seconds: number): Promise<number> {
  return (rate(await sysbench(target, ranges, load, [`--time=${seconds}`])) * 5000 * 119) / 1e6
}

/** New sessions per second, each with one SELECT. */
export async function connects(target: MySqlTarget, clients: number, seconds: number): Promise<number> {
  return rate(await sysbench(target, sessions, { mode: 'text', clients }, [`--time=${seconds}`]))
}

/** Microseconds of the proxy's CPU per point select, over so many seconds of steady state. */
export async function cpuPerTransaction(target: MySqlTarget, load: Load, seconds: number): Promise<number> {
  const cpu = new SteadyCpu(target.pid, seconds)
  await sysbench(target, pointSelects, load, [`--time=${seconds + 2}`, '--report-interval=1'], (line) => {
    const [, tps] = /^\[ \d+s \] thds: \d+ tps: ([0-9.]+)/.exec(line) ?? []
    if (tps) cpu.progress(performance.now() / 1000, Number(tps))
  })
  return cpu.microseconds
}

/** Milliseconds of the proxy's CPU per new session with one SELECT, its end included. */
export function cpuPerSession(target: MySqlTarget, clients: number, perClient: number): Promise<number> {
  return cpuOfSessions(target.pid, async () => {
    const events = ['--time=0', `--events=${clients * perClient}`]
    const output = await sysbench(target, sessions, { mode: 'text', clients }, events)
    return Number(/^ +total number of events: +(\d+)/m.exec(output)?.[1] ?? 0)
  })
}

/** Megabytes that the process grows by, at its largest, while a client reads one result of this size. */
export async function growth(target: MySqlTarget, megabytes: number): Promise<number> {
  const sql = `SELECT REPEAT('x', 1022) FROM seq_1_to_${megabytes * 1024}` // of a row's 1 KB two bytes are its length and a newline
  const before = residentMegabytes(target.pid)
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, residentMegabytes(target.pid))
  }, 20)
  try {
    const args = [`--defaults-file=${target.defaults}`, '--quick', '--skip-column-names', '-e', sql, 'orders']
    await run('mariadb', args, { stdio: ['ignore', 'pipe', 'pipe'] }, { discard: true })
  } finally {
    clearInterval(watch)
  }
  return most - before
}

const pointSelects = ['oltp_point_select']
const ranges = [
  'oltp_read_only',
  '--skip-trx=on',
  '--range-size=5000',
  '--point-selects=0',
  '--simple-ranges=1',
  '--sum-ranges=0',
  '--order-ranges=0',
  '--distinct-ranges=0',
]
const sessions = [fileURLToPath(new URL('sessions.lua', import.meta.url))]

/** Makes the table that the other loads read. */
export async function prepare(target: MySqlTarget): Promise<void> {
  await sysbench(target, pointSelects, { mode: 'text', clients: 1 }, [], undefined, 'prepare')
}

function sysbench(
  target: MySqlTarget,
  load: readonly string[],
  { mode, clients }: Load,
  args: readonly string[],
  onProgress?: (line: string) => void,
  command: 'run' | 'prepare' = 'run',
): Promise<string> {
  const [script = '', ...options] = load
  const shared = [`--threads=${clients}`, `--db-ps-mode=${mode === 'text' ? 'disable' : 'auto'}`]
  const table = script === sessions[0] ? [] : [`--table-size=${tableRows}`]
  const all = [script, `--config-file=${target.options}`, ...shared, ...table, ...options, ...args, command]
  const progress = onProgress && { progress: 'stdout' as const, onProgress }
  return run('sysbench', all, { cwd: path.resolve(target.dir), stdio: ['ignore', 'pipe', 'pipe'] }, progress)
}

/** A transaction of sysbench is one event of its script. */
function rate(output: string): number {
  const found = Number(/^ +transactions: +\d+ +\(([0-9.]+) per sec\.\)/m.exec(output)?.[1])
  if (!(found > 0)) throw new Error('no transaction was completed')
  return found
}
