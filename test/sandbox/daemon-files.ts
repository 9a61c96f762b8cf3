import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import { writeLeaf } from './certificates.ts'
import {
  accounts,
  arns,
  bastions,
  commandDocument,
  computeKeys,
  externalId,
  type instances,
  region,
  sealedDocument,
  shellDocument,
  shellInstance,
  shellKey,
} from './default-world.ts'
import type { ApiServer } from './kubernetes/api-server.ts'
import { webCluster } from './kubernetes/web-cluster.ts'
import { freePort } from './ports.ts'
import type { ConfigOverrides, MySqlSide, Sandbox } from './sandbox.ts'
import { documentDigest } from './ssm/documents.ts'

/** What one daemon is started with, and where it will be. */
export interface DaemonFiles {
  readonly dir: string
  readonly configFile: string
  /** `server.public_url`: http on loopback. */
  readonly url: string
  readonly metricsUrl: string
  /** Of the TLS listener for stock clients, on 127.0.0.1. */
  readonly postgresPort: number
  /** The same for MySQL, where the sandbox has it; else nobody listens there. */
  readonly mysqlPort: number
  /** Where audit checkpoints are anchored. */
  readonly anchorFile: string
  /** Of a SQLite store. */
  readonly databaseFile: string
  readonly storeUrl: string
  readonly keysDir: string
  readonly stateDir: string
  readonly recordingsDir: string
  /** Credentials of the compute identity and the OIDC secret; nothing else of AWS from our own environment. */
  readonly env: NodeJS.ProcessEnv
}

type Surroundings = Omit<Sandbox, 'writeConfig'>

/** Where the provider posts logout tokens (OpenID Connect Back-Channel Logout). */
export const backchannelLogoutPath = '/callback/oidc/logout'

export async function writeDaemonFiles(
  sandbox: Surroundings,
  dir: string,
  overrides: ConfigOverrides,
): Promise<DaemonFiles> {
  const [port, metricsPort] = [await freePort(), await freePort()]
  const [postgresPort, mysqlPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const databaseFile = path.join(dir, 'sallyport.db')
  const files: DaemonFiles = {
    dir,
    configFile: path.join(dir, 'sallyport.yaml'),
    url,
    metricsUrl: `http://127.0.0.1:${metricsPort}`,
    postgresPort,
    mysqlPort,
    anchorFile: path.join(dir, 'anchor.jsonl'),
    databaseFile,
    storeUrl: overrides.store?.url ?? (await sandbox.stores?.create()) ?? `sqlite:${databaseFile}`,
    keysDir: overrides.keys?.dir ?? path.join(dir, 'keys'),
    stateDir: path.join(dir, 'state'),
    recordingsDir: path.join(dir, 'recordings'),
    env: daemonEnvironment(sandbox),
  }
  sandbox.oidc.allow({ redirectUri: `${url}/callback/oidc`, backchannelLogoutUri: `${url}${backchannelLogoutPath}` })
  const { cert, key } = sandbox.authority.issue(['localhost', '127.0.0.1'])
  const tls = writeLeaf(dir, 'listener', { cert: `${cert}${sandbox.authority.cert}`, key }) // the page hands the authority on
  const workers = process.env.SALLYPORT_TEST_WORKERS
  const server = {
    listen: `127.0.0.1:${port}`,
    public_url: url,
    ...(overrides.server?.public_url === undefined ? {} : { peer_url: url }), // a balancer is in front
    metrics_listen: `127.0.0.1:${metricsPort}`,
    drain: '1s',
    drain_delay: '0s',
    // Both ways of running are tried by the same tests.
    ...(workers === undefined ? {} : { workers: Number(workers) }),
  }
  const listeners = {
    postgres: [{ listen: `127.0.0.1:${postgresPort}`, tls }],
    ...(sandbox.mysql && { mysql: [{ listen: `127.0.0.1:${mysqlPort}`, tls: { ...tls } }] }),
  }
  const config = merge({ version: 1, server, listeners, ...configure(sandbox, files) }, overrides)
  writeFileSync(files.configFile, stringify(config))
  return files
}

/** Written anew for each kind: a configuration may not hold YAML aliases. */
const databaseLevels = (ofAdmin: object = {}): object => ({
  readonly: { db_user: 'sallyport_ro', databases: ['*'], max_rows: 100_000 },
  admin: { db_user: 'sallyport_rw', databases: ['*'], ...ofAdmin },
})

const roleLevels: object = {
  readonly: { policy_arns: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'] },
  full: {},
}

function configure(sandbox: Surroundings, files: DaemonFiles): Omit<ConfigFile, 'version' | 'server'> {
  return {
    store: { url: files.storeUrl },
    keys: { dir: files.keysDir },
    state: { dir: files.stateDir },
    oidc: {
      issuer: sandbox.oidc.issuer,
      client_id: sandbox.oidc.clientId,
      client_secret: `\${env:OIDC_SECRET}`,
      admin_groups: ['platform'],
      auditor_groups: ['security'],
    },
    aws: {
      hub_role_arn: arns.hub,
      connect_role: 'sallyport/SallyportConnect',
      external_id: externalId,
      regions: [region],
      accounts: { [accounts.data]: {}, [accounts.web]: { trust: 'web_identity' } },
      endpoint_url: sandbox.aws.url,
    },
    resources: [
      // Through a brokered role of the account, and through the spoke role itself: both ways that the product has.
      { ...database(sandbox, 'orders'), role: arns.databases, tags: { env: 'prod', team: 'shop' } },
      {
        ...(sandbox.hasShells ? privateBilling(sandbox) : database(sandbox, 'billing')),
        tags: { env: 'staging', team: 'finance' },
      },
      ...(sandbox.mysql
        ? [{ ...shop(sandbox, sandbox.mysql), role: arns.databases, tags: { env: 'prod', team: 'shop' } }]
        : []),
      ...(sandbox.hasShells ? [{ id: shellId, role: arns.shells, tags: { env: 'prod', team: 'shop' } }] : []),
      ...(sandbox.cluster ? [clusterResource(sandbox.cluster)] : []),
      { id: roleId('ReportsReader'), revocable: true, tags: { team: 'shop' } },
      { id: roleId('Deployer'), role: arns.deploy, tags: { team: 'shop' } },
      { id: `iam-role/${accounts.web}/Personal`, max_session: '12h', tags: { team: 'shop' } },
    ],
    levels: [
      { for: { kinds: ['rds-postgres'] }, ...databaseLevels() },
      ...(sandbox.mysql ? [{ for: { kinds: ['rds-mysql'] }, ...databaseLevels({ local_infile: true }) }] : []),
      ...(sandbox.hasShells ? [{ for: { kinds: ['ec2-instance'] }, ...shellLevels() }] : []),
      ...(sandbox.cluster ? [{ for: { kinds: ['eks-cluster'] }, ...clusterLevels }] : []),
      { for: { kinds: ['iam-role'] }, ...roleLevels },
    ],
    access: [
      {
        name: 'engineers-read-prod-databases',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data], kinds: databaseKinds(sandbox), tags: { env: 'prod' } },
        levels: ['readonly'],
        max_duration: '8h',
        require: { reason: true },
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
      {
        name: 'engineers-use-roles-of-their-team',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data, accounts.web], kinds: ['iam-role'], tags: { team: 'shop' } },
        levels: ['readonly', 'full'],
        max_duration: '8h',
        require: { reason: true },
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
      ...(sandbox.mysql ? [shopRule] : []),
      ...(sandbox.hasShells ? [shellRule] : []),
      ...(sandbox.cluster ? [clusterRule] : []),
      {
        name: 'database-owners-read-billing',
        who: { groups: ['database-owners'] },
        what: { ids: [resourceId('billing')] },
        levels: ['readonly'],
        max_duration: '4h',
      },
    ],
    recordings: { dir: files.recordingsDir, reserve: '50MB' },
    audit: { checkpoint_every: '5s', anchors: [{ file: files.anchorFile }] },
  }
}

export const roleId = (name: string) => `iam-role/${accounts.data}/${name}`

export const resourceId = (name: keyof typeof instances) => `rds-postgres/${accounts.data}/${region}/${name}`

function database(sandbox: Surroundings, name: keyof typeof instances) {
  const { endpoint, listenPort } = sandbox.databases[name]
  return {
    id: resourceId(name),
    endpoint: endpoint.host,
    port: endpoint.port,
    connect_address: `127.0.0.1:${listenPort}`,
    resource_id: endpoint.resourceId,
    database: name,
    ca: sandbox.caFile,
  }
}

/** Reached through an instance alone. */
function privateBilling(sandbox: Surroundings) {
  const { connect_address: _, ...billing } = database(sandbox, 'billing')
  const via = Object.values(bastions).map((id) => `ec2-instance/${accounts.data}/${region}/${id}`)
  return { ...billing, via }
}

const databaseKinds = ({ mysql }: Surroundings) => (mysql ? ['rds-postgres', 'rds-mysql'] : ['rds-postgres'])

export const shopId = `rds-mysql/${accounts.data}/${region}/shop`

const shopRule = {
  name: 'engineers-change-the-shop',
  who: { groups: ['engineering'] },
  what: { ids: [shopId] },
  levels: ['admin'],
  max_duration: '8h',
  require: { reason: true },
  approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
}

export const shellId = `ec2-instance/${accounts.data}/${region}/${shellInstance}`

const shellRule = {
  name: 'engineers-get-shells',
  who: { groups: ['engineering'] },
  what: { ids: [shellId] },
  levels: ['readonly', 'watched', 'sealed', 'ports', 'ssh', 'ssh-full', 'copy', 'fetch'],
  max_duration: '8h',
  require: { reason: true },
  approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
}

export const clusterId = `eks-cluster/${accounts.data}/${region}/${webCluster.name}`

function clusterResource({ port }: ApiServer) {
  const { endpoint } = webCluster
  return { id: clusterId, endpoint: `https://${endpoint}`, connect_address: `127.0.0.1:${port}`, tags: { env: 'prod' } }
}

const clusterRole = 'sallyport/{cluster}-view'
const clusterLevels: object = {
  readonly: {
    role: clusterRole,
    rules: [
      {
        verbs: ['get', 'list', 'watch'],
        groups: ['core', 'apps'],
        resources: ['pods', 'pods/log', 'configmaps', 'deployments'],
        namespaces: ['shop'],
      },
      { verbs: ['get', 'list'], resources: ['namespaces'] },
    ],
  },
  edit: {
    role: clusterRole,
    rules: [{ verbs: ['*'], groups: ['core', 'apps'], resources: ['*'], namespaces: ['shop'] }],
  },
  operate: {
    role: clusterRole,
    rules: [
      { verbs: ['get', 'list'], resources: ['pods'], namespaces: ['shop'] },
      { verbs: ['exec', 'attach', 'portforward'], resources: ['pods'], namespaces: ['shop'], names: ['web-*'] },
    ],
  },
}

const clusterRule = {
  name: 'engineers-look-at-clusters',
  who: { groups: ['engineering'] },
  what: { ids: [clusterId] },
  levels: ['readonly', 'edit', 'operate'],
  max_duration: '8h',
  require: { reason: true },
  approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
}

/**
 * `watched` records what is typed, too; `sealed` is encrypted by KMS; `ports` forwards; by `ssh` and `ssh-full` one signs in as whoever
 * runs this; `copy` copies files both ways, `fetch` from the instance alone, encrypted by KMS.
 */
const shellLevels = (): object => {
  const { name: document, versions } = shellDocument()
  const commands = commandDocument()
  const level = { document, document_digest: documentDigest(versions.at(-1)), os_user: 'deploy' }
  const forCommands = {
    command_document: commands.name,
    command_document_digest: documentDigest(commands.versions.at(-1)),
  }
  const sealedOne = sealedDocument()
  const sealed = {
    ...level,
    document: sealedOne.name,
    document_digest: documentDigest(sealedOne.versions.at(-1)),
    kms_key: shellKey,
  }
  const forward = ['localhost:8080', 'web.internal:80', 'other.internal:80']
  const own = { ...level, os_user: userInfo().username }
  return {
    readonly: { ...level, ...forCommands },
    watched: { ...level, record_input: true },
    sealed,
    ports: { ...level, forward },
    ssh: { ...own, ssh: 'restricted' },
    'ssh-full': { ...own, ssh: 'full' },
    copy: { ...level, copy: ['up', 'down'] },
    fetch: { ...sealed, copy: ['down'] },
  }
}

/** The MySQL database; its default database is the same `orders`. */
function shop({ caFile }: Surroundings, { shop: { endpoint, listenPort } }: MySqlSide) {
  return {
    id: shopId,
    endpoint: endpoint.host,
    port: endpoint.port,
    connect_address: `127.0.0.1:${listenPort}`,
    resource_id: endpoint.resourceId,
    database: 'orders',
    ca: caFile,
  }
}

function daemonEnvironment(sandbox: Surroundings): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(([name]) => !/^(AWS_|SALLYPORT_|PG)/.test(name))
  return {
    ...Object.fromEntries(ours),
    AWS_ACCESS_KEY_ID: computeKeys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: computeKeys.secretAccessKey,
    AWS_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    OIDC_SECRET: sandbox.oidc.clientSecret,
  }
}

function merge(config: ConfigFile, overrides: ConfigOverrides): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...config }
  for (const [section, change] of Object.entries(overrides)) {
    const before = merged[section]
    merged[section] = isObject(before) && isObject(change) ? { ...before, ...change } : change
  }
  return merged
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
