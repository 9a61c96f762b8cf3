import { type SpawnOptions, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { quietFor } from '../wait-until.ts'
import { cpuNanoseconds } from './cpu.ts'

/** Where pgbench and psql connect, and as whom. */
export interface Target {
  readonly name: string
  /** libpq's variables; the password is among them, never among the arguments. */
  readonly env: NodeJS.ProcessEnv
  /** Of the proxy; nobody's when it is PostgreSQL itself. */
  readonly pid?: number
}

/** How pgbench sends its statements (`-M`). */
export type Mode = 'simple' | 'prepared'

/** Transactions per second of `pgbench -S`. */
export async function selects(target: Target, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]))
}

/** New connections per second, each with one SELECT. */
export async function connects(target: Target, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-C', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]))
}

/**
 * Microseconds of the proxy's CPU per transaction of `pgbench -S`, over so many seconds of steady state: the first second,
 * with the opening of the sessions, and the last, with their end, are left out.
 */
export async function cpuPerTransaction(target: Target, mode: Mode, clients: number, seconds: number): Promise<number> {
  const marks: { cpu: number; at: number; tps: number }[] = []
  const args = ['-S', '-n', '-M', mode, '-c', `${clients}`, '-j', '1', '-T', `${seconds + 2}`]
  await pgbench(target, [...args, '-P', '1', '--progress-timestamp'], (line) => {
    const [, at, tps] = /^progress: ([0-9.]+) s, ([0-9.]+) tps/.exec(line) ?? []
    if (at && marks.length <= seconds) marks.push({ cpu: cpuNanoseconds(target.pid), at: Number(at), tps: Number(tps) })
  })
  const steady = marks.slice(marks.findIndex(({ tps }) => tps > 0)) // on a busy machine the opening takes longer
  let transactions = 0
  for (const [i, { at, tps }] of steady.entries()) transactions += tps * (at - (steady[i - 1]?.at ?? at))
  const [first, last] = [steady[0], steady.at(-1)]
  if (!first || !last || transactions < 1) throw new Error('no transaction was completed in steady state')
  return spent(first.cpu, last.cpu) / 1000 / transactions
}

/** Milliseconds of the proxy's CPU per new session with one SELECT, its end included. */
export async function cpuPerSession(target: Target, clients: number, perClient: number): Promise<number> {
  const before = cpuNanoseconds(target.pid)
  const output = await pgbench(target, ['-S', '-n', '-C', '-c', `${clients}`, '-j', '1', '-t', `${perClient}`])
  await quietFor(200, 'what a proxy still does once the last clients have gone')
  const sessions = Number(/^number of transactions actually processed: (\d+)/m.exec(output)?.[1] ?? 0)
  if (sessions === 0) throw new Error('no transaction was completed')
  return spent(before, cpuNanoseconds(target.pid)) / 1e6 / sessions
}

function spent(before: number, after: number): number {
  if (Number.isNaN(after - before)) throw new Error('the process has gone')
  return after - before
}

/** MB per second of COPY TO STDOUT. */
export async function copyOut(target: Target, megabytes: number): Promise<number> {
  const sql = `copy (select repeat('x', 1023) from generate_series(1, ${megabytes * 1024})) to stdout`
  const since = performance.now()
  await run('psql', ['-XqAt', '-c', sql], { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] }, { discard: true })
  return megabytes / ((performance.now() - since) / 1000)
}

function pgbench(target: Target, args: readonly string[], onProgress?: (line: string) => void): Promise<string> {
  const options: SpawnOptions = { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] }
  return run('pgbench', args, options, onProgress && { onProgress })
}

function rate(output: string): number {
  const found = /^tps = ([0-9.]+)/m.exec(output)?.[1]
  if (!found) throw new Error('no transaction was completed')
  return Number(found)
}

interface RunOptions {
  /** Throw stdout away. */
  readonly discard?: boolean
  /** Gets each line of stderr as it arrives. */
  onProgress?(line: string): void
}

/** @returns stdout */
export async function run(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  { discard = false, onProgress }: RunOptions = {},
): Promise<string> {
  const child = spawn(file, [...args], options)
  let stdout = ''
  let stderr = ''
  if (discard) child.stdout?.pipe(createWriteStream('/dev/null'))
  else child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  if (onProgress && child.stderr) createInterface({ input: child.stderr }).on('line', onProgress)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}
