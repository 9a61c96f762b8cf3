import { type SpawnOptions, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'

/** Where pgbench and psql connect, and as whom. */
export interface Target {
  readonly name: string
  /** libpq's variables; the password is among them, never among the arguments. */
  readonly env: NodeJS.ProcessEnv
}

/** Transactions per second of `pgbench -S`. */
export async function selects(target: Target, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]), 'tps')
}

/** New connections per second, each with one SELECT. */
export async function connects(target: Target, clients: number, seconds: number): Promise<number> {
  return rate(await pgbench(target, ['-S', '-n', '-C', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`]), 'tps')
}

/** MB per second of COPY TO STDOUT. */
export async function copyOut(target: Target, megabytes: number): Promise<number> {
  const sql = `copy (select repeat('x', 1023) from generate_series(1, ${megabytes * 1024})) to stdout`
  const since = performance.now()
  await run('psql', ['-XqAt', '-c', sql], { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] }, true)
  return megabytes / ((performance.now() - since) / 1000)
}

function pgbench(target: Target, args: readonly string[]): Promise<string> {
  return run('pgbench', args, { env: target.env, stdio: ['ignore', 'pipe', 'pipe'] })
}

function rate(output: string, unit: string): number {
  const found = /^tps = ([0-9.]+)/m.exec(output)?.[1]
  if (!found) throw new Error(`no ${unit} in: ${output}`)
  return Number(found)
}

/** @returns stdout; thrown away when `discard` */
export async function run(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  discard = false,
): Promise<string> {
  const child = spawn(file, [...args], options)
  let stdout = ''
  let stderr = ''
  if (discard) child.stdout?.pipe(createWriteStream('/dev/null'))
  else child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}
