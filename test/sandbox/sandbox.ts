import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { ConfigFile } from '../../src/config/schema.ts'
import { type AwsDouble, startAws } from './aws.ts'
import { type Authority, createAuthority } from './certificates.ts'
import { createClock, type SandboxClock } from './clock.ts'
import { type DaemonFiles, writeDaemonFiles } from './daemon-files.ts'
import { accounts, createWorld, instances, mysqlInstances, region } from './default-world.ts'
import type { ApiServer } from './kubernetes/api-server.ts'
import { startWebCluster } from './kubernetes/web-cluster.ts'
import { type MariaDb, type MariaDbOptions, startMariaDb } from './mysql/mariadb.ts'
import { type RdsMySql, startRdsMySql } from './mysql/rds-mysql.ts'
import { startStandIn } from './mysql/stand-in.ts'
import { type Oidc, type OidcOptions, startOidc } from './oidc.ts'
import { type Postgres, type PostgresOptions, startPostgres } from './postgres.ts'
import { type RdsPostgres, startRdsPostgres } from './rds-postgres.ts'
import { type StoreDatabases, startStoreDatabases } from './store-databases.ts'

/**
 * Everything around the daemon, on free ports of 127.0.0.1: the company's OpenID provider, an AWS, and two RDS databases with
 * a real PostgreSQL behind them. Nothing of it shares code with the product, and nothing of it outlives this process.
 */
export interface Sandbox {
  /** Temporary folder of this sandbox. */
  readonly dir: string
  readonly clock: SandboxClock
  readonly authority: Authority
  /** PEM root of every certificate here: the databases' and the daemon's own. */
  readonly caFile: string
  readonly oidc: Oidc
  readonly aws: AwsDouble
  readonly postgres: Postgres
  /** For the daemons' stores, when asked for or with `SALLYPORT_TEST_STORE=postgres`; null: they use SQLite. */
  readonly stores: StoreDatabases | null
  readonly databases: { readonly orders: RdsPostgres; readonly billing: RdsPostgres }
  /** The RDS for MySQL endpoint `shop`, and the server behind it, when asked for. */
  readonly mysql: MySqlSide | null
  /** Daemons are configured with an instance that people get shells on, and with one through which `billing` is reached, if at all. */
  readonly hasShells: boolean
  /** The EKS cluster `web`, when asked for. */
  readonly cluster: ApiServer | null
  /** A complete configuration for one daemon, with ports of its own; `overrides` replace whole settings of a section. */
  writeConfig(dir: string, overrides?: ConfigOverrides): Promise<DaemonFiles>
  /** Ends everything it started, and deletes `dir`. */
  close(): Promise<void>
}

export interface MySqlSide {
  readonly mariadb: MariaDb
  readonly shop: RdsMySql
}

/** @throws Error when the sandbox was started without `mysql` */
export function mysqlOf(sandbox: Pick<Sandbox, 'mysql'>): MySqlSide {
  if (sandbox.mysql === null) throw new Error('this sandbox was started without MySQL')
  return sandbox.mysql
}

/** By section of the configuration; objects are merged one level deep, everything else replaces. */
export type ConfigOverrides = { readonly [K in keyof ConfigFile]?: Partial<ConfigFile[K]> }

export interface SandboxOptions {
  readonly oidc?: OidcOptions
  readonly postgres?: PostgresOptions
  /** Also a MySQL database: needs `mariadbd` (`skipWithoutMariaDb`), or what stands in for it. */
  readonly mysql?: MariaDbOptions | 'stand-in'
  /** An instance that people get shells on, which needs a pty (`noPty`), and `billing` through others alone. */
  readonly shells?: boolean
  /** Also an EKS cluster. */
  readonly cluster?: boolean
  /** Session Manager's message gateway speaks TLS, by the sandbox's own authority. */
  readonly gatewayTls?: boolean
  /** Whether daemons keep their state in PostgreSQL; by default as `SALLYPORT_TEST_STORE` says. */
  readonly stores?: boolean
}

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-sandbox-'))
  const clock = createClock()
  const authority = createAuthority()
  const caFile = path.join(dir, 'ca.pem')
  writeFileSync(caFile, authority.cert)
  const closers: (() => Promise<void>)[] = [async () => rmSync(dir, { recursive: true, force: true })]
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    closers.push(() => part.close())
    return part
  }
  const gatewayTls = options.gatewayTls ? { certificate: authority.issue(['127.0.0.1']) } : {}
  const provider = startOidc(options.oidc).then(keep)
  const started = await Promise.allSettled([
    provider,
    provider.then((oidc) => startAws({ world: createWorld(oidc), clock, ...gatewayTls })).then(keep),
    startPostgres(options.postgres).then(keep),
    (options.stores ?? process.env.SALLYPORT_TEST_STORE === 'postgres') ? startStoreDatabases().then(keep) : null,
    options.mysql === 'stand-in'
      ? startStandIn().then(keep)
      : options.mysql
        ? startMariaDb(options.mysql).then(keep)
        : null,
  ])
  try {
    const [oidc, aws, postgres] = [settled(started[0]), settled(started[1]), settled(started[2])]
    const [stores, mariadb] = [settled(started[3]), settled(started[4])]
    const endpointOf = ({ endpoint, resourceId }: { endpoint: string; resourceId: string }, port: number) => {
      return { host: endpoint, port, region, account: accounts.data, partition: 'aws', resourceId }
    }
    const database = async (name: keyof typeof instances): Promise<RdsPostgres> => {
      const endpoint = endpointOf(instances[name], 5432)
      const certificate = authority.issue([endpoint.host])
      return keep(await startRdsPostgres({ endpoint, certificate, tokens: aws.rdsTokens, postgres, clock }))
    }
    const shop = async (behind: MariaDb): Promise<RdsMySql> => {
      const endpoint = endpointOf(mysqlInstances.shop, 3306)
      const certificate = authority.issue([endpoint.host])
      return keep(await startRdsMySql({ endpoint, certificate, tokens: aws.rdsTokens, mariadb: behind, clock }))
    }
    const databases = { orders: await database('orders'), billing: await database('billing') }
    const mysql = mariadb && { mariadb, shop: await shop(mariadb) }
    const hasShells = options.shells ?? false
    const cluster = options.cluster ? keep(await startWebCluster(aws)) : null
    // Its endpoint's name does not resolve here: agents alone know where it leads.
    for (const { reaches } of hasShells ? aws.world.instances : [])
      reaches[`${instances.billing.endpoint}:5432`] = { host: '127.0.0.1', port: databases.billing.listenPort }
    const sandbox = {
      dir,
      clock,
      authority,
      caFile,
      oidc,
      aws,
      postgres,
      stores,
      databases,
      mysql,
      hasShells,
      cluster,
      close,
    }
    return {
      ...sandbox,
      writeConfig: (folder, overrides = {}) => {
        mkdirSync(folder, { recursive: true })
        return writeDaemonFiles(sandbox, folder, overrides)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

function settled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason
  return result.value
}
