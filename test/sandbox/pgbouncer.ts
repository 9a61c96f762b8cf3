import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { waitUntil } from '../wait-until.ts'
import { type GuardedProcess, spawnGuarded } from './guarded-process.ts'
import { freePort } from './ports.ts'
import { chooseRunner } from './runner.ts'

export interface PgBouncer {
  readonly pid: number
  readonly port: number
  stop(): Promise<unknown>
}

/**
 * On 127.0.0.1, trusting everybody there unless the settings say otherwise.
 * @param databases lines of its section `[databases]`
 * @param settings lines of its section `[pgbouncer]`
 */
export async function startPgBouncer(databases: readonly string[], settings: readonly string[]): Promise<PgBouncer> {
  const port = await freePort()
  const runner = chooseRunner('postgres')
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-bouncer-'))
  const config = path.join(dir, 'pgbouncer.ini')
  const own = ['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = any']
  const quiet = ['log_connections = 0', 'log_disconnections = 0']
  writeFileSync(config, ['[databases]', ...databases, '[pgbouncer]', ...own, ...settings, ...quiet, ''].join('\n'))
  if (runner.uid !== undefined && runner.gid !== undefined) chownSync(dir, runner.uid, runner.gid)
  chmodSync(config, 0o644)
  const child = await spawnGuarded({ command: 'pgbouncer', args: [config], stopSignal: 'INT', remove: dir, ...runner })
  await answers(port, child)
  return { pid: child.pid, port, stop: child.stop }
}

/** Until it takes connections. */
export async function answers(port: number, child: GuardedProcess): Promise<void> {
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  child.stdout.on('data', () => {})
  await waitUntil(
    () => isOpen(port),
    () => `port ${port} is open: ${log}`,
    10_000,
    25,
  )
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
