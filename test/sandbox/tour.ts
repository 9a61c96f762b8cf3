import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Ran, Running } from './commands.ts'
import { accounts } from './default-world.ts'
import type { Demo } from './demo-house.ts'
import { hasMariaDb } from './mysql/mariadb.ts'
import type { AccountName } from './oidc/accounts.ts'
import { isInstalled, readsEndpointVariable, skipWithout } from './programs.ts'
import { noPty } from './ssm/shell.ts'
import { showCluster } from './tour-cluster.ts'
import { showPage } from './tour-page.ts'
import { askForPermissionSet, showPermissionSet, showPermissionSetGone } from './tour-permission-set.ts'
import { type RunOptions, Transcript, words } from './transcript.ts'
import { truncate } from './truncated-export.ts'

export const standsIn =
  'The MySQL database shop is a small stand-in that knows a few statements, since MariaDB’s server is not installed. For the real one: apt install mariadb-server mariadb-client'

/** Performs the whole journey with real clients; every step must do what it says. @throws Error at the first that doesn't */
export async function runTour(demo: Demo): Promise<{ missing: readonly string[] }> {
  const tour = new Tour(demo)
  await tour.signIn()
  await tour.denied()
  await tour.request()
  await tour.query()
  await tour.stockClient()
  await tour.recording()
  await tour.giveBack()
  await showPage(demo, tour.print)
  await tour.cutByRevoke()
  await tour.cutByExpiry()
  await tour.mysql()
  await tour.shell()
  await tour.files()
  await tour.privateDatabase()
  await tour.cluster()
  await askForPermissionSet(tour.steps)
  await tour.role()
  await showPermissionSet(tour.steps)
  await tour.killAndLock()
  await showPermissionSetGone(tour.steps)
  await tour.auditLog()
  return { missing: tour.print.missing }
}

class Tour {
  readonly #demo: Demo
  readonly print = new Transcript()
  #lastSession = ''

  constructor(demo: Demo) {
    this.#demo = demo
  }

  /** Types `sallyport …` as this person; words in double quotes stay together. */
  as(person: AccountName, command: string, options: RunOptions = {}): Promise<Ran> {
    return this.print.run(`./.demo/${person} ${command}`, this.#demo.launcher(person), words(command), {
      ...options,
      env: { ...this.#demo.personEnv(person), ...options.env },
    })
  }

  /** The same, and goes on while the tour does something else. */
  start(person: AccountName, command: string, isTypedInto = false): Running {
    const options = { env: this.#demo.personEnv(person), isTypedInto }
    return this.print.background(`./.demo/${person} ${command}`, this.#demo.launcher(person), words(command), options)
  }

  async signIn(): Promise<void> {
    this.print.heading('Sign in: OIDC with PKCE through the browser; `--device` where there is none')
    await this.as('alice', 'login', { shows: [/alice@example\.com/] })
    await this.as('bob', 'login')
    await this.as('carol', 'login')
    await this.as('dave', 'login')
    await this.as('alice', 'whoami', { shows: [/engineering/] })
    await this.as('alice', 'ls', { shows: [/orders/] })
  }

  async denied(): Promise<void> {
    this.print.heading('Without a grant nothing opens, and the reason is given')
    await this.as('alice', 'psql orders -- -c "select 1"', { exit: 4, shows: [/grant/, /sallyport request/] })
  }

  async request(): Promise<void> {
    this.print.heading('Ask; nobody approves their own request; the database owner approves')
    await this.as('alice', 'request orders --level readonly --for 1h --reason "why is order 17 late"')
    const listed = await this.as('alice', 'requests --json', { lines: 0 })
    const [asked] = (JSON.parse(listed.stdout) as { items: { id: string }[] }).items
    await this.as('alice', `approve ${asked?.id} --yes`, { exit: 4 })
    await this.as('bob', 'requests', { shows: [/alice@example\.com/, /readonly/] })
    await this.as('bob', `approve ${asked?.id} --yes`)
    await this.as('alice', 'grants', { shows: [/orders/] })
  }

  async giveBack(): Promise<void> {
    this.print.heading('Done early: given back')
    const listed = await this.as('alice', 'grants --json', { lines: 0 })
    const [grant] = (JSON.parse(listed.stdout) as { items: { id: string }[] }).items
    await this.as('alice', `return ${grant?.id}`)
    await this.as('alice', 'psql orders -- -c "select 1"', { exit: 4, shows: [/returned the access/] })
  }

  async query(): Promise<void> {
    this.print.heading('psql through the local proxy: real rows, and no credential of the database on this side')
    await this.as('alice', 'psql orders -- -c "select id, status from orders order by id limit 3"', {
      shows: [/3 rows/],
    })
    await this.as('alice', 'psql orders -- -c "delete from orders"', { exit: 1, shows: [/permission denied/] })
  }

  async stockClient(): Promise<void> {
    this.print.heading("No Sallyport software at all: the broker's TLS port, with a connect token as the password")
    const issued = await this.as('alice', 'connect orders --token --json', { lines: 0 })
    const token = JSON.parse(issued.stdout) as { token: string; user: string; host: string; port: number }
    const conninfo = `host=${token.host} port=${token.port} dbname=orders user=${token.user} sslmode=verify-full sslrootcert=${this.#demo.caFile}`
    const env = { ...process.env, PGPASSWORD: token.token }
    await this.print.run(
      `PGPASSWORD=spt_… psql "${conninfo}" -c "select count(*) from customers"`,
      'psql',
      ['-X', conninfo, '-c', 'select count(*) from customers'],
      {
        env,
        shows: [/1 row/],
      },
    )
    const wrong = { ...env, PGPASSWORD: `${token.token.slice(0, -4)}AAAA` }
    await this.print.run('the same with a wrong token', 'psql', ['-X', conninfo, '-c', 'select 1'], {
      env: wrong,
      exit: 2,
      shows: [/FATAL/],
    })
  }

  async recording(): Promise<void> {
    this.print.heading('What was said is recorded, with the values bound')
    const local = this.start('alice', 'connect orders --json')
    await local.prints(/Press Ctrl-C to stop/)
    const { connections } = JSON.parse(local.stdout) as { connections: pg.ClientConfig[] }
    const { host, port, user, password, database } = connections[0] ?? {}
    const client = new pg.Client({ host, port, user, password, database } as pg.ClientConfig)
    await client.connect()
    const answer = await client.query('select id, status from orders where id = $1 and total > $2', [17, 0])
    this.print.check(answer.rowCount === 1, 'node-postgres, with parameters $1 = 17 and $2 = 0, was given one row')
    await client.end()
    local.child.kill('SIGINT')
    const { code } = await local.ended
    this.print.check(code === 0, 'Ctrl-C ends `connect`')
    this.#lastSession = await this.#lastRecording()
    await this.as('carol', `recordings play ${this.#lastSession}`, { shows: [/where id = \$1/, /17/] })
    await this.as('alice', `recordings play ${this.#lastSession}`, { exit: 4 })
  }

  async cutByRevoke(): Promise<void> {
    this.print.heading('Revoked in the middle of a query: cut within a second, and told why, in psql')
    const { id, psql } = await this.#busyPsql()
    await this.as('bob', `revoke ${id} --reason "incident 42"`)
    const returnedAt = Date.now()
    const ran = await psql.ended
    this.print.show(psql.output)
    this.print.check(
      /57P01/.test(psql.output) && /incident 42|revoked/.test(psql.output),
      'psql was told, with SQLSTATE 57P01',
    )
    const tookMs = Math.max(0, ran.endedAt - returnedAt)
    this.print.check(tookMs < 1000, `psql was gone ${tookMs} ms after \`revoke\` had returned`)
    const cutMs = await this.#demo.slowestCutMs('grant-revoked')
    this.print.check(
      cutMs < 1000,
      `the broker stopped forwarding at most ${cutMs} ms after the decision (sallyport_cut_seconds)`,
    )
  }

  async cutByExpiry(): Promise<void> {
    this.print.heading('The grant runs out: the same')
    const { psql } = await this.#busyPsql('8s')
    await psql.ended
    this.print.show(psql.output)
    this.print.check(
      /57P01/.test(psql.output) && /expired/.test(psql.output),
      'psql was told that its grant expired, with SQLSTATE 57P01',
    )
  }

  async mysql(): Promise<void> {
    this.print.heading('MySQL: asked for, queried, recorded and cut in the same way')
    if (!hasMariaDb()) this.print.note(standsIn)
    if (!isInstalled('mariadb') && !isInstalled('mysql'))
      return this.print.miss('`sallyport mysql`: no client is installed. To have one: apt install mariadb-client')
    const id = await this.#grant('shop', '1h')
    await this.as('alice', 'mysql shop -- -t -e "select id, status from orders order by id limit 3"', {
      shows: [/\| +1 \| delivered/],
    })
    const session = await this.#lastRecording()
    await this.as('carol', `recordings play ${session}`, { shows: [/select id, status from orders/, /ROWS 3/] })
    await this.as('alice', 'mysql shop -- -e "delete from orders"', { exit: 1, shows: [/DELETE command denied/] })
    const client = this.start('alice', 'mysql shop -- -e "select sleep(600)"')
    await this.#demo.waitForMysqlQuery('sleep(600)')
    await this.as('bob', `revoke ${id} --reason "incident 43"`)
    const { code } = await client.ended
    this.print.show(client.output)
    const isTold = code === 1 && /ERROR 1053 \(08S01\).*incident 43/.test(client.output)
    this.print.check(isTold, 'the client was told why, as error 1053')
    const cutMs = await this.#demo.slowestCutMs('grant-revoked')
    this.print.check(cutMs < 1000, `the broker stopped forwarding at most ${cutMs} ms after the decision`)
  }

  async shell(): Promise<void> {
    this.print.heading('A shell on an EC2 instance, over Session Manager: watched, recorded and cut')
    if (noPty) return this.print.miss(`\`sallyport shell\`: ${noPty}`)
    await this.as('alice', 'request i-0a1b2c3d4e5f60718 --level readonly --for 1h --reason "the shop is slow"')
    const id = await this.#approved()
    const shell = this.start('alice', 'shell i-0a1b2c3d4e5f60718', true)
    await this.#type(shell, /\$ /, 'stty -a | head -n 1')
    await this.#type(shell, /rows 24.*\$ /s, 'ls --color=always /etc/ssl')
    await shell.prints(/openssl\.cnf.*\$ /s)
    const session = await this.#lastRecording()
    const watcher = this.start('carol', `recordings watch ${session}`)
    await watcher.prints(/openssl\.cnf/)
    await shell.prints(/carol@example\.com watches this session/)
    await this.#type(shell, /./, 'for n in 16 17 18; do echo "order $n: waiting for the bank"; done')
    await watcher.prints(/order 18/)
    await this.as('bob', `revoke ${id} --reason "incident 44"`)
    const { code } = await shell.ended
    this.print.show(shell.output)
    this.print.check(code === 4 && /incident 44/.test(shell.output), 'the shell was cut, with the reason on the screen')
    const cutMs = await this.#demo.slowestCutMs('grant-revoked')
    this.print.check(cutMs < 1000, `the broker stopped forwarding at most ${cutMs} ms after the decision`)
    const { code: left } = await watcher.ended
    this.print.check(left === 0 && /incident 44/.test(watcher.output), 'who watched saw it too')
    await this.as('carol', `recordings play ${session}`, { shows: [/order 17/, /incident 44/, /recording verified/] })
    await this.as('carol', 'recordings search "waiting for the bank"', { shows: [/--from \d{4}-/] })
    await this.as('carol', `recordings export ${session} --cast --out .demo/shell.cast`)
    this.print.note('any asciinema player shows it')
  }

  async files(): Promise<void> {
    this.print.heading('A file from the instance, on record with its digest')
    if (noPty) return this.print.miss(`\`sallyport cp\`: ${noPty}`)
    await this.as('alice', 'request i-0a1b2c3d4e5f60718 --level copy --for 1h --reason "which host is it"')
    await this.#approved()
    await this.as('alice', 'cp i-0a1b2c3d4e5f60718:/etc/hostname .demo/hostname', { shows: [/copied 1 file/] })
    await this.as('carol', 'recordings search /etc/hostname', { shows: [/ file\n/, /path/] })
  }

  async privateDatabase(): Promise<void> {
    this.print.heading('A database in a network that only an instance reaches: the same psql')
    if (noPty) return this.print.miss(`a database through an instance: ${noPty}`)
    await this.as('bob', 'request billing --level readonly --for 1h')
    await this.as('bob', 'psql billing -- -c "select number, amount from invoices order by id limit 3"', {
      shows: [/INV-2025-00001/, /3 rows/],
    })
    const [tunnel] = this.#demo.sandbox.aws.ssm.sessions.filter(({ document }) => document === 'Sallyport-PortDatabase')
    this.print.check(tunnel !== undefined, `it went through ${tunnel?.target}, by a role of the broker for tunnels`)
  }

  async cluster(): Promise<void> {
    await showCluster(this.steps)
  }

  /** What parts of the tour in files of their own need. */
  get steps() {
    return {
      demo: this.#demo,
      print: this.print,
      as: (person: AccountName, command: string, options?: RunOptions) => this.as(person, command, options),
      approved: () => this.#approved(),
      lastRecording: () => this.#lastRecording(),
    }
  }

  /** Once the screen has it, types a line. */
  async #type(shell: Running, after: RegExp, line: string): Promise<void> {
    await shell.prints(after)
    shell.child.stdin?.write(`${line}\n`)
  }

  async #lastRecording(): Promise<string> {
    const listed = await this.as('carol', 'recordings ls --json', { lines: 0 })
    return (JSON.parse(listed.stdout) as { items: { id: string }[] }).items[0]?.id ?? ''
  }

  async role(): Promise<void> {
    this.print.heading('A role for the AWS CLI: renewed by itself, and what was handed out dies with the grant')
    await this.as('alice', 'aws ReportsReader credential-process', { exit: 4, shows: [/not granted/] })
    await this.as('alice', 'request ReportsReader --level readonly --for 1h --reason "monthly report"')
    const grant = { id: await this.#approved() }
    const printed = await this.as('alice', 'aws ReportsReader credential-process', { lines: 0, shows: [/"Version":1/] })
    const keys = JSON.parse(printed.stdout) as { AccessKeyId: string; Expiration: string }
    this.print.note(`credentials for a credential_process, until ${keys.Expiration}; the secret is not shown here`)
    const hasCli = skipWithout('aws') === false
    if (hasCli) await this.#listBuckets()
    else this.print.miss('the aws CLI under a role: it is not installed')
    await this.as('alice', 'aws configure', { shows: [/sallyport-ReportsReader/] })
    await this.as('alice', 'aws ReportsReader console --service s3 --print', { lines: 0, shows: [/Action=login/] })
    this.print.note('a link that opens the console of S3; not shown: it signs in anyone who opens it')
    const dead = hasCli ? await this.#oldKeys() : undefined
    await this.as('bob', `revoke ${grant.id} --reason "report is done"`)
    await this.as('alice', 'aws ReportsReader credential-process', { exit: 4, shows: [/report is done/] })
    await this.#demo.waitForDenial(grant.id)
    await dead?.()
    await this.as('carol', 'audit search --type credentials.killed', { shows: [/credentials\.killed/] })
    await this.as('dave', 'sync --watch', { shows: [/o-exampleorgid +good/] })
    await this.as('carol', 'ls --kind account', { shows: [/Production/, /SUSPENDED/] })
    await this.as('carol', 'ls --risk', { shows: [/ReportsReader +medium +over-broad/] })
    await this.as('dave', `aws validate ${accounts.data}`, { shows: [/without an ExternalId: refused as expected/] })
    await this.as('dave', 'aws policies --feature revocation', { lines: 3, shows: [/iam:CreatePolicyVersion: /] })
  }

  async #listBuckets(): Promise<void> {
    const shows = [/shop-reports/]
    if (readsEndpointVariable()) await this.as('alice', 'aws ReportsReader exec -- aws s3 ls', { shows })
    else await this.as('alice', `aws ReportsReader exec -- aws ${this.#toSandbox().join(' ')} s3 ls`, { shows })
  }

  /** What an older aws CLI must be told on its command line. */
  #toSandbox(): string[] {
    return readsEndpointVariable() ? [] : ['--endpoint-url', this.#demo.sandbox.aws.url]
  }

  /** Keeps what `env` prints; what it returns shows that AWS refuses it. */
  async #oldKeys(): Promise<() => Promise<void>> {
    const printed = await this.as('alice', 'aws ReportsReader env --json', { lines: 0 })
    const env = { ...process.env, ...this.#demo.awsEnv('alice'), ...(JSON.parse(printed.stdout) as NodeJS.ProcessEnv) }
    await this.print.run('aws s3 ls', 'aws', [...this.#toSandbox(), 's3', 'ls'], { env, shows: [/shop-reports/] })
    return async () => {
      await this.print.run('aws s3 ls', 'aws', [...this.#toSandbox(), 's3', 'ls'], {
        env,
        exit: [254, 255],
        shows: [/AccessDenied/],
      })
      this.print.note('the keys that were handed out before the revocation are dead')
    }
  }

  async killAndLock(): Promise<void> {
    this.print.heading('An administrator ends one session, and freezes an identity')
    const { psql } = await this.#busyPsql()
    const listed = await this.as('dave', 'sessions --json', { lines: 0 })
    const session = (JSON.parse(listed.stdout) as { items: { id: string }[] }).items[0]?.id ?? ''
    await this.as('dave', `kill ${session} --reason "runaway query"`)
    await psql.ended
    this.print.check(/57P01/.test(psql.output) && /runaway query/.test(psql.output), 'psql was told who and why')
    await this.as('dave', 'lock alice@example.com --reason "laptop stolen"')
    await this.as('alice', 'psql orders -- -c "select 1"', { exit: 3 })
    await this.as('dave', 'unlock alice@example.com')
  }

  async auditLog(): Promise<void> {
    this.print.heading('The audit log proves itself')
    const { publicKeyFile } = this.#demo
    const dir = '.demo'
    const anchorFile = join(dir, 'anchor.jsonl')
    await this.as('carol', 'audit tail --since 10m --no-follow', { lines: 8, shows: [/session\.started/] })
    await this.as('carol', 'audit search --type session.denied', { shows: [/session\.denied/] })
    await this.as('carol', 'audit verify', { shows: [/^verified: /] })
    copyFileSync(this.#demo.anchorFile, anchorFile) // before the copy: a younger anchor would know of events that it lacks
    const copy = join(dir, 'audit.jsonl')
    await this.as('carol', `audit export --out ${copy}`)
    const offline = (file: string) =>
      `audit verify --export ${file} --public-key ${publicKeyFile} --anchor ${anchorFile}`
    await this.as('carol', offline(copy))
    const lines = readFileSync(copy, 'utf8').trimEnd().split('\n')
    const tampered = join(dir, 'tampered.jsonl')
    writeFileSync(tampered, readFileSync(copy, 'utf8').replace('GRANT_DENIED', 'GRANT_DENIEE'))
    await this.as('carol', offline(tampered), { exit: 1, shows: [/seq \d+|event \d+/i] })
    this.print.note('one letter was changed: refused, and the place is named')
    const truncated = join(dir, 'truncated.jsonl')
    writeFileSync(truncated, `${truncate(lines).join('\n')}\n`)
    await this.as('carol', `audit verify --export ${truncated} --public-key ${publicKeyFile}`)
    this.print.note('the end was cut off, and everything that is left fits together: without an anchor it looks whole')
    await this.as('carol', offline(truncated), { exit: 1, shows: [/anchor/i] })
    this.print.note('refused, because the anchor holds a later checkpoint')
  }

  /** A new grant of alice's, and a psql of hers in the middle of a long query. */
  async #busyPsql(duration = '1h'): Promise<{ id: string; psql: Running }> {
    const id = await this.#grant('orders', duration)
    const command = 'psql orders -- -v VERBOSITY=verbose -c "select pg_sleep(600)"'
    const psql = this.start('alice', command)
    await this.#demo.waitForQuery(/pg_sleep/)
    return { id, psql }
  }

  /** What alice asked for last, approved by bob. @returns the grant's id */
  async #approved(): Promise<string> {
    const listed = await this.as('alice', 'requests --json', { lines: 0 })
    const [asked] = (JSON.parse(listed.stdout) as { items: { id: string }[] }).items
    const approved = await this.as('bob', `approve ${asked?.id} --yes --json`, { lines: 0 })
    return (JSON.parse(approved.stdout) as { grant: { id: string } }).grant.id
  }

  /** Asked for by alice, approved by bob. @returns its id */
  async #grant(resource: string, duration: string): Promise<string> {
    const ask = `request ${resource} --level readonly --for ${duration} --reason "long report" --json`
    const asked = await this.as('alice', ask, { lines: 0 })
    const { request } = JSON.parse(asked.stdout) as { request: { id: string } }
    const approved = await this.as('bob', `approve ${request.id} --yes --json`, { lines: 0 })
    const { grant } = JSON.parse(approved.stdout) as { grant: { id: string } }
    return grant.id
  }
}
