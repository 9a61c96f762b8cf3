import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { Leaf } from './certificates.ts'
import { type GuardedProcess, spawnGuarded } from './guarded-process.ts'
import { freePort } from './ports.ts'
import { findPostgres, type PostgresBinaries } from './postgres-binaries.ts'
import { clusterSeed, databaseSeeds, iamUsers } from './postgres-seed.ts'
import { chooseRunner, type Runner } from './runner.ts'
import { whenReady, writeCertificate } from './server-process.ts'
import { cacheFolder, copyAs, copyTemplate, execute, own } from './template-cache.ts'

/**
 * A real PostgreSQL with the sandbox's databases `orders` and `billing`. It trusts whoever reaches its socket, which is
 * in a folder of ours alone; the RDS double stands in front.
 */
export interface Postgres {
  /** Folder of the Unix socket, for `host` of libpq and node-postgres. */
  readonly socketDir: string
  /** The socket itself, `<socketDir>/.s.PGSQL.<port>`. */
  readonly socketPath: string
  /** Of 127.0.0.1, when asked for. */
  readonly tcpPort: number | null
  readonly version: string
  readonly pid: number
  /** Whether RDS would ask this user for a token: membership in `rds_iam`. */
  isIamUser(user: string): Promise<boolean>
  /** A copy of it as it is now, which follows its log from then on until `select pg_promote()`. For settings of replication. */
  standby(options: PostgresOptions): Promise<Postgres>
  /** Runs statements as the superuser. */
  query(database: string, sql: string, values?: unknown[]): Promise<pg.QueryResult>
  close(): Promise<void>
}

export interface PostgresOptions {
  /** Also listen on 127.0.0.1, trusting everybody there: for benchmarks. With `tls`, in TLS. */
  readonly tcp?: { readonly tls?: Leaf }
  /** More `name=value` settings. */
  readonly settings?: readonly string[]
}

const superuser = 'postgres'
const socketPort = 5432 // only part of a file name, as long as nothing listens on TCP
const initdbFlags = [
  '--auth=trust',
  `--username=${superuser}`,
  '--encoding=UTF8',
  '--locale=C',
  '--no-sync',
  '--no-data-checksums',
  '--wal-segsize=1', // MB: less to copy
  '--set=timezone=UTC',
]
/** Nothing here must survive a crash. */
const fast = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'wal_level=minimal', 'max_wal_senders=0']
const small = ['shared_buffers=32MB', 'max_connections=200', 'autovacuum=off', 'jit=off', 'io_method=sync']

export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const runner = chooseRunner('postgres')
  const cache = cacheFolder(runner)
  const home = mkdtempSync(path.join(os.tmpdir(), 'sallyport-pg-'))
  own(home, runner)
  try {
    const binaries = findPostgres(runner, cache.trusted ? cache.folder : home)
    await copyTemplate(cache, templateName(binaries), runner, path.join(home, 'data'), () =>
      makeCluster(binaries, runner, home),
    )
    return await run(binaries, runner, home, options)
  } catch (error) {
    rmSync(home, { recursive: true, force: true })
    throw error
  }
}

async function run(
  binaries: PostgresBinaries,
  runner: Runner,
  home: string,
  options: PostgresOptions,
): Promise<Postgres> {
  const tcpPort = options.tcp ? await freePort() : null
  const settings = [...(options.settings ?? []), ...tcpSettings(home, runner, options, tcpPort)]
  const server = await startServer(binaries, runner, home, settings)
  const port = tcpPort ?? socketPort
  const connect = (database: string) => connectTo(home, database, port)
  return {
    socketDir: home,
    socketPath: path.join(home, `.s.PGSQL.${port}`),
    tcpPort,
    version: binaries.version,
    pid: server.pid,
    isIamUser: async (user: string) => {
      if ((iamUsers as readonly string[]).includes(user)) return true
      const client = await connect('postgres')
      const isMember =
        "select from pg_roles where rolname = $1 and pg_has_role(oid, 'rds_iam', 'usage') and not rolsuper"
      try {
        return (await client.query(isMember, [user])).rowCount === 1
      } finally {
        await client.end()
      }
    },
    query: async (database: string, sql: string, values: unknown[] = []) => {
      const client = await connect(database)
      try {
        return await client.query(sql, values)
      } finally {
        await client.end()
      }
    },
    standby: async (of: PostgresOptions) => {
      const copy = mkdtempSync(path.join(os.tmpdir(), 'sallyport-pg-'))
      own(copy, runner)
      const client = await connect('postgres')
      try {
        await copyRunning(client, runner, home, copy)
      } finally {
        await client.end()
      }
      const primary = `primary_conninfo=host=${home} port=${port} user=${superuser} application_name=standby`
      return await run(binaries, runner, copy, { ...of, settings: [...(of.settings ?? []), primary] })
    },
    close: async () => {
      await server.stop()
    },
  }
}

/** What pg_basebackup does, which the package does not bring. */
async function copyRunning(client: pg.Client, runner: Runner, from: string, to: string): Promise<void> {
  await client.query("select pg_backup_start('standby', true)")
  await copyAs(runner, path.join(from, 'data'), path.join(to, 'data'))
  const { rows } = await client.query('select labelfile from pg_backup_stop(false)')
  rmSync(path.join(to, 'data', 'postmaster.pid'))
  const write = (name: string, text: string) => {
    writeFileSync(path.join(to, 'data', name), text, { mode: 0o600 })
    own(path.join(to, 'data', name), runner)
  }
  write('backup_label', String(rows[0].labelfile))
  write('standby.signal', '')
}

function tcpSettings(home: string, runner: Runner, options: PostgresOptions, port: number | null): string[] {
  if (port === null) return ['listen_addresses=']
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`]
  const tls = options.tcp?.tls
  if (!tls) return settings
  const files = writeCertificate(home, tls, runner)
  return [...settings, 'ssl=on', `ssl_cert_file=${files.cert}`, `ssl_key_file=${files.key}`]
}

/** Resolves when it takes connections. The guard deletes `home` after the server has ended, however that comes. */
async function startServer(
  binaries: PostgresBinaries,
  runner: Runner,
  home: string,
  settings: readonly string[],
  removeAfter = true,
): Promise<GuardedProcess> {
  const all = [`port=${socketPort}`, `unix_socket_directories=${home}`, ...fast, ...small, ...settings]
  const server = await spawnGuarded({
    command: binaries.postgres,
    args: ['-D', path.join(home, 'data'), ...all.flatMap((setting) => ['-c', setting])],
    stopSignal: 'INT', // "fast": open sessions are ended
    ...(removeAfter ? { remove: home } : {}),
    cwd: home,
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...runner,
  })
  await whenReady(server, 'PostgreSQL', /database system is ready to accept (read-only )?connections/)
  return server
}

function templateName(binaries: PostgresBinaries): string {
  const seeds = JSON.stringify([initdbFlags, clusterSeed, databaseSeeds])
  return `postgres-${binaries.version}-${createHash('sha256').update(seeds).digest('hex').slice(0, 12)}`
}

async function makeCluster(binaries: PostgresBinaries, runner: Runner, home: string): Promise<void> {
  const env = { PATH: process.env.PATH, LC_ALL: 'C' }
  await execute(binaries.initdb, [`--pgdata=${path.join(home, 'data')}`, ...initdbFlags], { ...runner, cwd: home, env })
  const server = await startServer(binaries, runner, home, ['listen_addresses='], false)
  try {
    await seed(home, 'postgres', clusterSeed)
    for (const [database, statements] of Object.entries(databaseSeeds)) await seed(home, database, statements)
  } finally {
    await server.stop()
  }
}

async function seed(home: string, database: string, statements: readonly string[]): Promise<void> {
  const client = await connectTo(home, database)
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function connectTo(home: string, database: string, port = socketPort): Promise<pg.Client> {
  const client = new pg.Client({ host: home, port, user: superuser, database })
  await client.connect()
  return client
}
