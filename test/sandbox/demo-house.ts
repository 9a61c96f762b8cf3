import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { singleQuoted } from '../../proxy/local/shell-quote.ts'
import { copyDocument } from '../../src/kinds/ec2-instance/copy-document.ts'
import { copyDocumentName } from '../../src/kinds/ec2-instance/copy-level.ts'
import { waitUntil } from '../wait-until.ts'
import type { SessionDocument } from './aws/world.ts'
import { type RunningDaemon, startDaemon } from './daemon.ts'
import { accounts, region } from './default-world.ts'
import { discoverEstate, hasPermissionSet } from './demo-estate.ts'
import { hasMariaDb } from './mysql/mariadb.ts'
import { type AccountName, accountNames } from './oidc/accounts.ts'
import { createOrganization } from './organization-world.ts'
import { mysqlOf, type Sandbox, startSandbox } from './sandbox.ts'
import { noPty } from './ssm/shell.ts'

export const people = {
  alice: 'engineer',
  bob: 'engineer, and owner of the databases: approves',
  carol: 'auditor',
  dave: 'admin',
} as const satisfies Record<AccountName, string>

/** As `sallyport aws prepare` prints it. */
function documentForFiles(): SessionDocument {
  const level = { osUser: 'deploy', kmsKey: null }
  return { name: copyDocumentName(level), account: accounts.data, region, versions: [copyDocument(level) as never] }
}

/** A small company with a small AWS, the daemon beside it, and a launcher of `sallyport` for each person. */
export class Demo {
  readonly dir = resolve('.demo')
  readonly sandbox: Sandbox
  readonly daemon: RunningDaemon

  private constructor(sandbox: Sandbox, daemon: RunningDaemon) {
    this.sandbox = sandbox
    this.daemon = daemon
  }

  static async start(): Promise<Demo> {
    const sandbox = await startSandbox({
      mysql: hasMariaDb() ? {} : 'stand-in',
      shells: noPty === false,
      cluster: true,
    })
    sandbox.aws.world.sessionDocuments.push(documentForFiles())
    sandbox.aws.world.organization = createOrganization()
    try {
      const demo = new Demo(sandbox, await startDaemon(sandbox, { overrides: await discoverEstate(sandbox) }))
      await demo.#waitForEstate()
      demo.#writeLaunchers()
      return demo
    } catch (error) {
      await sandbox.close()
      throw error
    }
  }

  get url(): string {
    return this.daemon.url
  }

  get caFile(): string {
    return this.sandbox.caFile
  }

  get anchorFile(): string {
    return this.daemon.anchorFile
  }

  get publicKeyFile(): string {
    return join('.demo', 'audit-public-key.pem')
  }

  launcher(person: AccountName): string {
    return join(this.dir, person)
  }

  /** Environment in which this person's `sallyport` finds a browser that signs in by itself. */
  personEnv(person: AccountName): NodeJS.ProcessEnv {
    return { ...process.env, SALLYPORT_BROWSER: browserCommand(person) }
  }

  /** What leads AWS's own tools to the sandbox, and away from the settings of whoever runs the demo. */
  awsEnv(person: AccountName): Readonly<Record<string, string>> {
    return awsEnv(this.sandbox.aws.url, join(this.dir, 'home', person))
  }

  /** Resolves once the account's deny list names this grant. */
  async waitForDenial(grantId: string): Promise<void> {
    const policies = () => JSON.stringify(this.sandbox.aws.world.managedPolicies)
    await waitUntil(() => policies().includes(grantId), `${grantId} is denied`, 15_000, 20)
  }

  /** Resolves once Identity Center has it for alice, or has it no more. */
  async waitForPermissionSet(isThere: boolean): Promise<void> {
    const text = `Identity Center has ${isThere ? 'her' : 'no'} assignment`
    await waitUntil(() => hasPermissionSet(this.sandbox) === isThere, text, 30_000, 50)
  }

  /** Upper bound, from the histogram, of the slowest cut for this reason so far. */
  async slowestCutMs(reason: string): Promise<number> {
    const text = await (await fetch(`${this.daemon.metricsUrl}/metrics`)).text()
    const buckets = [...text.matchAll(/^sallyport_cut_seconds_bucket\{le="([^"]+)",reason="([^"]+)"\} (\d+)$/gm)]
    const ours = buckets.filter(([, , why]) => why === reason)
    const total = Number(ours.at(-1)?.[3] ?? 0)
    if (total === 0) throw new Error(`no cut for ${reason} was measured`)
    return Number(ours.find(([, , , count]) => Number(count) === total)?.[1]) * 1000
  }

  /** Resolves once the real server runs a statement like this. */
  async waitForQuery(pattern: RegExp): Promise<void> {
    const sql = "select query from pg_stat_activity where state = 'active'"
    const isRunning = async () => {
      const { rows } = await this.sandbox.postgres.query('postgres', sql)
      return rows.some(({ query }: { query: string }) => pattern.test(query) && !/pg_stat_activity/.test(query))
    }
    await waitUntil(isRunning, `a query like ${pattern} runs`, 15_000, 20)
  }

  /** The same of MariaDB, or what stands in for it. */
  async waitForMysqlQuery(text: string): Promise<void> {
    const { mariadb } = mysqlOf(this.sandbox)
    const sql = "select 1 from information_schema.processlist where info like ? and info not like '%processlist%'"
    const isRunning = async () => (await mariadb.query(sql, [`%${text}%`])).length > 0
    await waitUntil(isRunning, `a statement like ${text} runs`, 15_000, 20)
  }

  async close(): Promise<void> {
    await this.daemon.stop()
    await this.sandbox.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** Resolves once roles and databases are in the catalog. */
  async #waitForEstate(): Promise<void> {
    const found = [`iam-role/${accounts.data}`, `rds/${accounts.data}/${region}`]
    const isThere = (scope: string) => this.daemon.log().includes(`"scope":"${scope}"`)
    await waitUntil(() => found.every(isThere), 'roles and databases are found', 30_000, 50)
  }

  #writeLaunchers(): void {
    rmSync(this.dir, { recursive: true, force: true })
    mkdirSync(this.dir, { recursive: true, mode: 0o700 })
    for (const person of accountNames) {
      const home = join(this.dir, 'home', person)
      mkdirSync(home, { recursive: true, mode: 0o700 })
      writeFileSync(this.launcher(person), launcherScript(person, home, this.url, this.awsEnv(person)))
      chmodSync(this.launcher(person), 0o755)
    }
    writeFileSync(this.publicKeyFile, this.daemon.publicKeyPem())
  }
}

/** A person's `sallyport`: the product, with a home of its own so that four people fit on one machine. */
function launcherScript(person: AccountName, home: string, url: string, aws: Readonly<Record<string, string>>): string {
  const hasScreen = process.platform === 'darwin' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY
  return [
    '#!/bin/sh',
    `# ${person}: ${people[person]}`,
    `export SALLYPORT_HOME=${singleQuoted(home)} SALLYPORT_SERVER=${singleQuoted(url)}`,
    ...Object.entries(aws).map(([name, value]) => `export ${name}=${singleQuoted(value)}`),
    ...(hasScreen ? [] : [`export SALLYPORT_BROWSER="\${SALLYPORT_BROWSER-${browserCommand(person)}}"`]),
    `exec ${singleQuoted(process.execPath)} ${singleQuoted(resolve('src/main.ts'))} "$@"`,
    '',
  ].join('\n')
}

function awsEnv(endpoint: string, home: string): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: join(home, 'aws-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(home, 'aws-credentials'),
  }
}

function browserCommand(person: AccountName): string {
  return `${process.execPath} ${resolve('test/sandbox/browser.ts')} ${person}`
}
