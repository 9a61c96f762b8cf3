import type { SpawnOptions } from 'node:child_process'
import { cpuOfSessions, SteadyCpu } from '../cpu.ts'
import type { Target } from '../rounds.ts'
import { run } from '../run-program.ts'

/** Where pgbench and psql connect, and as whom. */
export interface PostgresTarget extends Target {
  /** libpq's variables; the password is among them, never among the arguments. */
  readonly env: NodeJS.ProcessEnv
}

/** How pgbench sends its statements (`-M`). */
export type Mode = 'simple' | 'prepared'

/** Transactions per second of `pgbench -S`. */
export async function selects(target: PostgresTarget, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]))
}

/** New connections per second, each with one SELECT. */
export async function connects(target: PostgresTarget, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-C', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]))
}

/**
 * Microseconds of the proxy's CPU per transaction of `pgbench -S`, over so many seconds of steady state: the first second,
 * with the opening of the sessions, and the last, with their end, are left out.
 */
export async function cpuPerTransaction(
  target: PostgresTarget,
  mode: Mode,
  clients: number,
  seconds: number,
): Promise<number> {
  const cpu = new SteadyCpu(target.pid, seconds)
  const args = ['-S', '-n', '-M', mode, '-c', `${clients}`, '-j', '1', '-T', `${seconds + 2}`]
  await pgbench(target, [...args, '-P', '1', '--progress-timestamp'], (line) => {
    const [, at, tps] = /^progress: ([0-9.]+) s, ([0-9.]+) tps/.exec(line) ?? []
    if (at) cpu.progress(Number(at), Number(tps))
  })
  return cpu.microseconds
}

/** Milliseconds of the proxy's CPU per new session with one SELECT, its end included. */
export function cpuPerSession(target: PostgresTarget, clients: number, perClient: number): Promise<number> {
  return cpuOfSessions(target.pid, async () => {
    const output = await pgbench(target, ['-S', '-n', '-C', '-c', `${clients}`, '-j', '1', '-t', `${perClient}`])
    return Number(/^number of transactions actually processed: (\d+)/m.exec(output)?.[1] ?? 0)
  })
}

/** MB per second of COPY TO STDOUT. */
export async function copyOut(target: PostgresTarget, megabytes: number): Promise<number> {
  const sql = `copy (select repeat('x', 1023) from generate_series(1, ${megabytes * 1024})) to stdout`
  const since = performance.now()
  await run('psql', ['-XqAt', '-c', sql], { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] }, { discard: true })
  return megabytes / ((performance.now() - since) / 1000)
}

function pgbench(
  target: PostgresTarget,
  args: readonly string[],
  onProgress?: (line: string) => void,
): Promise<string> {
  const options: SpawnOptions = { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] }
  return run('pgbench', args, options, onProgress && { onProgress })
}

function rate(output: string): number {
  const found = /^tps = ([0-9.]+)/m.exec(output)?.[1]
  if (!found) throw new Error('no transaction was completed')
  return Number(found)
}
