import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { Leaf } from '../certificates.ts'
import { type GuardedProcess, spawnGuarded } from '../guarded-process.ts'
import { freePort } from '../ports.ts'
import { isInstalled, skipWithout } from '../programs.ts'
import { chooseRunner, type Runner } from '../runner.ts'
import { whenReady, writeCertificate } from '../server-process.ts'
import { cacheFolder, copyTemplate, execute, own } from '../template-cache.ts'
import { backendPassword, iamUsers, seed } from './seed.ts'

/**
 * A real MariaDB, of the machine's own package, with the sandbox's databases. Anyone who reaches its socket is its administrator,
 * so the socket is in a folder that only we can enter; the RDS double stands in front.
 */
export interface MariaDb {
  readonly socketPath: string
  /** Of 127.0.0.1, when asked for. */
  readonly tcpPort: number | null
  /** As `SELECT VERSION()` has it, e.g. `10.11.19-MariaDB`. */
  readonly version: string
  readonly pid: number
  /** Of every user who is not the administrator. */
  readonly password: string
  /** Whether RDS would ask this user for a token: `IDENTIFIED WITH AWSAuthenticationPlugin`. */
  isIamUser(user: string): boolean
  /** Makes one more, who can read `orders`. */
  addIamUser(user: string): Promise<void>
  /** Runs one statement as the administrator. @returns its rows; none for a statement without a result */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

export interface MariaDbOptions {
  /** Also listen on 127.0.0.1: for benchmarks. With `tls`, TLS is offered. */
  readonly tcp?: { readonly tls?: Leaf }
  /** More `name=value` settings. */
  readonly settings?: readonly string[]
}

/** Debian has it where only an administrator's PATH leads. */
const program = existsSync('/usr/sbin/mariadbd') ? '/usr/sbin/mariadbd' : 'mariadbd'

export const hasMariaDb = (): boolean => isInstalled(program)

/** For `{ skip }` of what needs this server. @throws Error in CI, which has it */
export const skipWithoutMariaDb = (): string | false => skipWithout(program)

/** The same for a test that takes long: of CI it runs in `.ci/long` alone, with its stock clients. */
export function skipUnlessLong(): string | false {
  const isLater = process.env.CI === 'true' && process.env.SALLYPORT_CLIENTS !== 'true'
  return isLater ? 'it runs in .ci/long' : skipWithoutMariaDb()
}

/** Nothing here must survive a crash, and little is done at a time. */
const small = [
  'innodb-flush-log-at-trx-commit=0',
  'innodb-log-file-size=4M',
  'innodb-buffer-pool-size=32M',
  'innodb-doublewrite=OFF',
  'max-connections=200',
]
const alike = [
  'skip-name-resolve',
  'skip-log-bin',
  'character-set-server=utf8mb4',
  'default-time-zone=+00:00',
  'max-allowed-packet=128M',
  'max-connect-errors=1000000', // a client that leaves early must not lock out the next test
]
/** It shows connection attributes; the rest of it costs memory. */
const attributes = [
  'performance-schema=ON',
  'performance-schema-instrument=%=OFF',
  'performance-schema-events-statements-history-long-size=0',
  'performance-schema-digests-size=0',
  'performance-schema-session-connect-attrs-size=2048',
]

export async function startMariaDb(options: MariaDbOptions = {}): Promise<MariaDb> {
  const runner = chooseRunner('mysql')
  const home = mkdtempSync(path.join(os.tmpdir(), 'sallyport-my-'))
  own(home, runner)
  try {
    const data = path.join(home, 'data')
    await copyTemplate(cacheFolder(runner), templateName(), runner, data, () => makeData(runner, home))
    return await run(runner, home, options)
  } catch (error) {
    rmSync(home, { recursive: true, force: true })
    throw error
  }
}

async function run(runner: Runner, home: string, options: MariaDbOptions): Promise<MariaDb> {
  const tcpPort = options.tcp ? await freePort() : null
  const settings = [...attributes, ...tcpSettings(home, runner, options, tcpPort), ...(options.settings ?? [])]
  const server = await startServer(runner, home, settings)
  const socketPath = socketOf(home)
  const query = async (sql: string, values: readonly unknown[] = []) => {
    const connection = await asAdministrator(home)
    try {
      const [rows] = await connection.query<RowDataPacket[]>(sql, [...values])
      return Array.isArray(rows) ? rows : []
    } finally {
      await connection.end()
    }
  }
  const known = new Set<string>(iamUsers)
  const [row] = await query('SELECT VERSION() AS version')
  return {
    socketPath,
    tcpPort,
    version: String(row?.version),
    pid: server.pid,
    password: backendPassword,
    isIamUser: (user) => known.has(user),
    addIamUser: async (user) => {
      await query(`CREATE USER ${user}@'%' IDENTIFIED BY '${backendPassword}'`)
      await query(`GRANT SELECT, SHOW VIEW ON orders.* TO ${user}@'%'`)
      known.add(user)
    },
    query,
    close: async () => {
      await server.stop()
    },
  }
}

function tcpSettings(home: string, runner: Runner, options: MariaDbOptions, port: number | null): string[] {
  if (port === null) return ['skip-networking']
  const settings = ['bind-address=127.0.0.1', `port=${port}`]
  const tls = options.tcp?.tls
  if (!tls) return settings
  const files = writeCertificate(home, tls, runner)
  return [...settings, `ssl-cert=${files.cert}`, `ssl-key=${files.key}`]
}

/** Resolves when it takes connections. The guard deletes `home` after the server has ended, however that comes. */
async function startServer(
  runner: Runner,
  home: string,
  settings: readonly string[],
  removeAfter = true,
): Promise<GuardedProcess> {
  const places = [`datadir=${path.join(home, 'data')}`, `socket=${socketOf(home)}`, `tmpdir=${home}`]
  const all = [...places, `pid-file=${path.join(home, 'pid')}`, ...small, ...alike, ...settings]
  const server = await spawnGuarded({
    command: program,
    args: ['--no-defaults', ...all.map((setting) => `--${setting}`)],
    stopSignal: 'TERM',
    ...(removeAfter ? { remove: home } : {}),
    cwd: home,
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...runner,
  })
  server.stdout.resume()
  await whenReady(server, 'MariaDB', /ready for connections/)
  return server
}

function templateName(): string {
  const version = /\d+\.\d+\.\d+/.exec(spawnSync(program, ['--version']).stdout?.toString() ?? '')?.[0]
  if (!version) throw new Error('mariadbd is not installed')
  const contents = JSON.stringify([small, seed])
  return `mariadb-${version}-${createHash('sha256').update(contents).digest('hex').slice(0, 12)}`
}

async function makeData(runner: Runner, home: string): Promise<void> {
  const data = path.join(home, 'data')
  const flags = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve']
  const settings = small.map((setting) => `--${setting}`)
  await execute('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, ...flags, ...settings], {
    ...runner,
    cwd: home,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  })
  const server = await startServer(runner, home, ['skip-networking'], false)
  try {
    const connection = await asAdministrator(home)
    for (const statement of seed) await connection.query(statement)
    await connection.end()
  } finally {
    await server.stop()
  }
}

function asAdministrator(home: string): Promise<Connection> {
  return createConnection({ socketPath: socketOf(home), user: 'root', supportBigNumbers: true })
}

const socketOf = (home: string) => path.join(home, 's')
