import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnGuarded } from '../sandbox/guarded-process.ts'
import { answers, type PgBouncer, startPgBouncer } from '../sandbox/pgbouncer.ts'
import { freePort } from '../sandbox/ports.ts'
import { chooseRunner } from '../sandbox/runner.ts'

/** What a peer is set up with: the same certificate towards clients, the same verified TLS leg upstream. */
export interface PeerOptions {
  /** `tls`: from the first byte on. */
  readonly protocol: 'postgres' | 'mysql' | 'tls'
  readonly upstreamPort: number
  /** Name in the upstream's certificate. */
  readonly upstreamName: string
  readonly files: { readonly cert: string; readonly key: string; readonly ca: string }
}

export type Peer = PgBouncer

/** Of another checkout: short, and with `-dirty` where the checkout has changes of its own. */
export function commitOf(dir: string): string {
  const git = spawnSync('git', ['-C', dir, 'describe', '--always', '--dirty', '--exclude=*'], { encoding: 'utf8' })
  if (git.status !== 0) throw new Error(`${dir} is no checkout: ${git.stderr}`)
  return git.stdout.trim()
}

/** PgBouncer in session mode. */
export function startPgBouncerPeer({ upstreamPort, files }: PeerOptions): Promise<Peer> {
  return startPgBouncer(
    [`orders = host=127.0.0.1 port=${upstreamPort} dbname=orders user=sallyport_ro`],
    [
      'pool_mode = session',
      'max_client_conn = 500',
      'default_pool_size = 100',
      'client_tls_sslmode = require',
      `client_tls_cert_file = ${files.cert}`,
      `client_tls_key_file = ${files.key}`,
      'server_tls_sslmode = verify-ca',
      `server_tls_ca_file = ${files.ca}`,
    ],
  )
}

/** HAProxy in TCP mode: it sees none of the protocol, and TLS is between client and database, so that it is one leg. */
export async function startHaproxyPeer({ upstreamPort }: PeerOptions): Promise<Peer> {
  const port = await freePort()
  const { config = '' } = writeShared('haproxy', {
    config: `defaults
  mode tcp
  maxconn 500
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen database
  bind 127.0.0.1:${port}
  server database 127.0.0.1:${upstreamPort}
`,
  })
  const child = await spawnGuarded({ command: 'haproxy', args: ['-db', '-f', config], stopSignal: 'TERM' })
  await answers(port, child)
  return { pid: child.pid, port, stop: child.stop }
}

/** A Node program that only pumps, with the same TLS legs. */
export async function startBareRelay(
  { protocol, upstreamPort, upstreamName, files }: PeerOptions,
  env: NodeJS.ProcessEnv = {},
): Promise<Peer> {
  const port = await freePort()
  const program = fileURLToPath(new URL('bare-relay.ts', import.meta.url))
  const args = [program, protocol, `${port}`, `${upstreamPort}`, files.cert, files.key, files.ca, upstreamName]
  const child = await spawnGuarded({
    command: process.execPath,
    args,
    stopSignal: 'TERM',
    env: { ...process.env, ...env },
  })
  await answers(port, child)
  return { pid: child.pid, port, stop: child.stop }
}

/** Certificates where a peer that runs as another user can read them. */
export function writeShared(
  name: string,
  files: Readonly<Record<string, string>>,
  reader: 'postgres' | 'mysql' = 'postgres',
): Record<string, string> {
  const dir = mkdtempSync(path.join(os.tmpdir(), `sallyport-${name}-`))
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o755)
  const runner = chooseRunner(reader)
  return Object.fromEntries(
    Object.entries(files).map(([file, text]) => {
      const to = path.join(dir, file)
      writeFileSync(to, text, { mode: 0o600 })
      if (runner.uid !== undefined && runner.gid !== undefined) chownSync(to, runner.uid, runner.gid)
      return [file, to]
    }),
  )
}
