/** Databases and instances in an account that takes nothing but a person's own ID token (D8): who gets in, what ends, and what a dead daemon leaves. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createConnection } from 'mysql2/promise'
import type pg from 'pg'
import t, { type Test } from 'tap'
import { copyDocument } from '../../src/kinds/ec2-instance/copy-document.ts'
import { copyDocumentName } from '../../src/kinds/ec2-instance/copy-level.ts'
import { sshDocument } from '../../src/kinds/ec2-instance/ssh-document.ts'
import { sshDocumentName } from '../../src/kinds/ec2-instance/ssh-level.ts'
import type { Instance } from '../sandbox/aws/world.ts'
import { startCommand } from '../sandbox/commands.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, allow, policy, region } from '../sandbox/default-world.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { startRdsMySql } from '../sandbox/mysql/rds-mysql.ts'
import { startRdsPostgres } from '../sandbox/rds-postgres.ts'
import { mysqlOf, type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { skipWithoutSshd, startSshd } from '../sandbox/ssm/sshd.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { companyIn } from './company.ts'
import { type ConnectToken, clientFor, issueToken, refusal } from './database-client.ts'
import { rowsOf } from './mysql-client.ts'

t.setTimeout(360_000)

const withoutMariaDb = skipWithoutMariaDb()
const role = `arn:aws:iam::${accounts.web}:role/Databases`
const spoke = `arn:aws:iam::${accounts.web}:role/sallyport/SallyportConnect`

const instanceId = 'i-0b45710a000000009'
const instanceRole = `arn:aws:iam::${accounts.web}:role/Instances`
const sandbox = await startSandbox({ shells: true, ...(withoutMariaDb ? {} : { mysql: {} }) })
t.teardown(() => sandbox.close())
const { aws, oidc, postgres } = sandbox
for (const arn of [role, spoke]) aws.world.roles.push(personalRole(sandbox, arn))
aws.world.roles.push({
  ...personalRole(sandbox, instanceRole),
  policies: [allow(['ssm:*', 'ssmmessages:OpenDataChannel'], '*')],
})
const endpointOf = (name: string, port: number) => ({
  host: `${name}.abc123.${region}.rds.amazonaws.com`,
  port,
  region,
  account: accounts.web,
  partition: 'aws',
  resourceId: `db-${name.toUpperCase()}`,
})
const common = { tokens: aws.rdsTokens, clock: sandbox.clock }
const ledger = await startRdsPostgres({ ...common, postgres, ...named('ledger', 5432) })
t.teardown(() => ledger.close())
const till = withoutMariaDb
  ? null
  : await startRdsMySql({ ...common, mariadb: mysqlOf(sandbox).mariadb, ...named('till', 3306) })
t.teardown(() => till?.close())
const company = await companyIn(sandbox, {
  overrides: {
    // With a role of its own, and by the role that the account's connect_role names.
    resources: [
      { ...resourceOf(ledger), id: `rds-postgres/${accounts.web}/${region}/ledger`, role },
      ...(till ? [{ ...resourceOf(till), id: `rds-mysql/${accounts.web}/${region}/till` }] : []),
      { id: `ec2-instance/${accounts.web}/${region}/${instanceId}`, role: instanceRole },
    ],
    access: [
      {
        name: 'engineers-read-the-ledger',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.web] },
        levels: ['readonly', 'ports', 'ssh', 'copy'],
        max_duration: '8h',
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
    ],
  },
})
t.teardown(() => company.daemon.stop())

function named(name: string, port: number) {
  const endpoint = endpointOf(name, port)
  return { endpoint, certificate: sandbox.authority.issue([endpoint.host]) }
}

function resourceOf({ endpoint, listenPort }: Pick<typeof ledger, 'endpoint' | 'listenPort'>) {
  const { host, port, resourceId } = endpoint
  const connect_address = `127.0.0.1:${listenPort}`
  return { endpoint: host, port, connect_address, resource_id: resourceId, database: 'orders', ca: sandbox.caFile }
}

/** Whose trust policy is that of `aws policies --trust web_identity`. */
function personalRole({ oidc: { issuer, clientId } }: Sandbox, arn: string) {
  const host = issuer.replace(/^https?:\/\//, '')
  return {
    arn,
    roleId: `AROA${arn.length}`.padEnd(20, '0'),
    trust: policy({
      Effect: 'Allow',
      Principal: { Federated: `arn:aws:iam::${accounts.web}:oidc-provider/${host}` },
      Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
      Condition: { StringEquals: { [`${host}:aud`]: clientId }, StringLike: { [`${host}:sub`]: '?*' } },
    }),
    policies: [allow('rds-db:connect', `arn:aws:rds-db:*:${accounts.web}:dbuser:*/sallyport_*`)],
    maxSessionSeconds: 3600,
    tags: {},
  }
}

const mints = () => aws.calls.filter(({ action }) => action.startsWith('AssumeRole'))

async function open(token: ConnectToken) {
  const client = clientFor(company, token)
  const lost = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  const { rows } = await client.query("select current_setting('application_name') as name")
  return { client, lost, sessionId: /ses_[0-9a-z]{26}/.exec(rows[0].name)?.[0] ?? '' }
}

const eventOf = async (type: string, sessionId: string) => {
  const query = `/api/v1/audit/events?type=${type}&subject=${sessionId}`
  const look = async () => (await company.api<{ events: object[] }>('carol', 'GET', query)).events[0]
  return await waitFor(look, `the log has ${type} of ${sessionId}`, 20_000, 50)
}

const runs = async (marker: string): Promise<boolean> => {
  const sql = `select pid from pg_stat_activity where state = 'active' and query like 'select pg_sleep(600) -- ${marker}'`
  return (await postgres.query('orders', sql)).rows.length > 0
}

/** Begins a statement, and waits until it runs at the target. */
async function begin({ client }: { client: pg.Client }, marker: string): Promise<{ failed: Promise<Error> }> {
  const failed = client.query(`select pg_sleep(600) -- ${marker}`).then(
    () => new Error('it was not ended'),
    (error: Error) => error,
  )
  await waitUntil(() => runs(marker), `${marker} runs`)
  return { failed }
}

const granted = await company.grant(3_600_000, 'ledger')

await t.test('PostgreSQL: by the token of who signed in, for one user of one database', async (t) => {
  const before = mints().length
  const { client } = await open(await issueToken(company, 'alice', { resource: 'ledger' }))
  t.same((await client.query('select count(*)::int as n from orders')).rows, [{ n: 600 }])
  await client.end()
  const calls = mints().slice(before)
  t.match(calls, [
    {
      action: 'AssumeRoleWithWebIdentity',
      caller: null,
      outcome: 'ok',
      parameters: { RoleArn: role, RoleSessionName: 'alice@example.com' },
    },
  ])
  t.equal(calls.length, 1, 'nothing of the hub')
  t.same(JSON.parse(calls[0]?.parameters.Policy ?? '').Statement, [
    {
      Effect: 'Allow',
      Action: 'rds-db:connect',
      Resource: `arn:aws:rds-db:${region}:${accounts.web}:dbuser:db-LEDGER/sallyport_ro`,
    },
  ])
  t.match(ledger.logins.at(-1)?.caller?.arn, /:assumed-role\/Databases\/alice@example\.com$/)
})

await t.test('PostgreSQL: the command line, by its own sign-in', async (t) => {
  const ran = await company.commands.alice.run(['psql', 'ledger', '--', '-Atc', 'select count(*) from customers'])
  t.match(ran, { code: 0, stdout: '200\n' })
})

/** As a robot gets it. */
async function robotToken(resource: string): Promise<ConnectToken> {
  const bearer = await apiToken('alice', 'connect')
  return (await byBearer(bearer, '/api/v1/connect-tokens', { resource })) as unknown as ConnectToken
}

async function apiToken(person: 'alice' | 'dave', scope: string): Promise<string> {
  const asked = { name: scope, scopes: [scope], durationMs: 3_600_000 }
  return (await company.api<{ token: string }>(person, 'POST', '/api/v1/tokens', asked)).token
}

async function byBearer(bearer: string, path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  const answer = await fetch(`${company.daemon.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return (await answer.json()) as Record<string, unknown>
}

await t.test(
  'PostgreSQL: a robot with the same grant is refused, with what to do, though a lease is at hand',
  async (t) => {
    t.match(await refusal(clientFor(company, await robotToken('ledger'))), {
      code: '28000',
      message: /only a person’s own ID token, but API tokens have none/,
      detail: 'Sallyport error LOGIN_REQUIRED.',
      hint: 'sign in as a person: sallyport login',
    })
  },
)

await t.test('PostgreSQL: what STS says of a token reaches the client', async (t) => {
  const refused = async () =>
    await refusal(clientFor(company, await issueToken(company, 'alice', { resource: 'ledger' })))
  aws.faults.fail('AssumeRoleWithWebIdentity', 'ExpiredTokenException')
  t.match(await refused(), { code: '28000', message: /ID token has expired/, hint: 'run: sallyport login' })
  aws.faults.clear()
  const [provider] = aws.world.oidcProviders
  if (!provider) throw new Error('no provider')
  const { clientIds } = provider
  provider.clientIds = ['another']
  t.match(await refused(), { code: '28000', message: /Incorrect token audience/, hint: /OIDC provider/ })
  provider.clientIds = clientIds
})

await t.test('MySQL: the same, by the role that connect_role names', { skip: withoutMariaDb || !till }, async (t) => {
  await company.grant(3_600_000, 'till')
  const token = await issueToken(company, 'alice', { resource: 'till' })
  const connect = ({ host, port, user, token: password }: ConnectToken) =>
    createConnection({ host, port, user, password, database: 'orders', ssl: { ca: sandbox.authority.cert } })
  const connection = await connect(token)
  t.same(await rowsOf(connection, 'select count(*) as n from orders'), [{ n: 600 }])
  await connection.end()
  t.match(mints().at(-1), { action: 'AssumeRoleWithWebIdentity', outcome: 'ok', parameters: { RoleArn: spoke } })
  t.match(till?.logins.at(-1)?.caller?.arn, /:assumed-role\/SallyportConnect\/alice@example\.com$/)
  await t.rejects(connect(await robotToken('till')), {
    errno: 1045,
    message: /API tokens have none\. sign in as a person: sallyport login \(Sallyport error LOGIN_REQUIRED\)/,
  })
})

await t.test('an instance: forward, cp and ssh, each by the token of who signed in', { skip: noPty }, async (t) => {
  const server = createServer((_request, response) => void response.end('behind'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const reaches: Instance['reaches'] = {
    'web.internal:80': { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  }
  const sshd = skipWithoutSshd() ? undefined : await startSshd()
  t.teardown(() => sshd?.close())
  if (sshd) reaches['localhost:22'] = { host: '127.0.0.1', port: sshd.port }
  const [known] = aws.world.instances
  if (!known) throw new Error('there is no instance')
  aws.world.instances.push({ ...known, id: instanceId, account: accounts.web, reaches, root: sshd?.root ?? '' })
  const documents = aws.world.sessionDocuments.filter(({ account }) => account === accounts.data)
  const copyLevel = { osUser: 'deploy', kmsKey: null }
  const more: [string, object][] = [[copyDocumentName(copyLevel), copyDocument(copyLevel)]]
  if (sshd) more.push([sshDocumentName(sshd.user), sshDocument(sshd.user)])
  aws.world.sessionDocuments.push(
    ...documents.map((document) => ({ ...document, account: accounts.web })),
    ...more.map(([name, content]) => ({ name, account: accounts.web, region, versions: [content as never] })),
  )
  const [begun, minted] = [aws.ssm.sessions.length, mints().length]
  const { alice } = company.commands
  const grants = await Promise.all(['ports', 'copy'].map((level) => company.grant(3_600_000, instanceId, level)))

  const forward = alice.start(['forward', instanceId, 'web.internal:80', '--level', 'ports'])
  const [, port] = await forward.prints(/127\.0\.0\.1:([0-9]+) leads to/)
  const file = path.join(sandbox.dir, 'hostname')
  const [behind, copied, config] = await Promise.all([
    fetch(`http://127.0.0.1:${port}`).then((answer) => answer.text()),
    alice.run(['cp', `${instanceId}:/etc/hostname`, file, '--level', 'copy']),
    alice.run(['ssh-config']),
  ])
  t.equal(behind, 'behind')
  t.match(copied, { code: 0 }, copied.stderr)
  t.equal(readFileSync(file, 'utf8'), readFileSync('/etc/hostname', 'utf8'))
  for (const { id } of grants) await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'done' })
  await company.grant(3_600_000, instanceId, 'ssh')
  if (sshd) {
    const args = ['-F', /"(.*)"/.exec(config.stdout)?.[1] ?? '', `${sshd.user}@${instanceId}`, 'echo $((6*7))']
    t.match(await startCommand('ssh', args, alice.env).ended, { code: 0, stdout: '42\n' })
  } else t.comment(skipWithoutSshd() || '')
  const sessions = aws.ssm.sessions.slice(begun)
  t.same(
    [...new Set(sessions.map(({ owner }) => owner))],
    [`arn:aws:sts::${accounts.web}:assumed-role/Instances/sp-alice@example.com`],
  )
  t.equal(new Set(sessions.map(({ document }) => document)).size, sshd ? 3 : 2)
  t.same(
    [
      ...new Set(
        mints()
          .slice(minted)
          .map(({ action }) => action),
      ),
    ],
    ['AssumeRoleWithWebIdentity'],
  )
  await forward.ended
})

await t.test(
  'aws validate of the account tries both roles; of a resource it signs in with the token of who asks',
  async (t) => {
    const { stdout } = await company.commands.dave.run(['aws', 'validate', accounts.web])
    t.match(stdout, /role\/Databases with your ID token: it can be assumed/)
    if (till) t.match(stdout, /role\/sallyport\/SallyportConnect with your ID token: it can be assumed/)
    const ask = { resource: 'ledger', level: 'readonly' }
    const report = await company.api<{ checks: object[] }>('dave', 'POST', '/api/v1/aws/preflight', ask)
    t.match(report, {
      checks: [
        {
          check: 'trust',
          outcome: 'ok',
          detail: /trusts web_identity; system:preflight is no person .* your own is used/,
        },
        { check: 'AWS', outcome: 'ok' },
        { check: 'TLS', outcome: 'ok' },
        { check: 'sign-in', outcome: 'ok' },
      ],
    })
    const byRobot = await byBearer(await apiToken('dave', 'admin'), '/api/v1/aws/preflight', ask)
    t.match(byRobot, {
      ok: false,
      checks: [
        { check: 'trust', outcome: 'ok' },
        { check: 'AWS', outcome: 'fail', detail: /API tokens have none/, fix: /sallyport login/ },
      ],
    })
  },
)

await t.test('a revocation ends what runs, though the identity provider and AWS are out of reach', async (t) => {
  const session = await open(await issueToken(company, 'alice', { resource: 'ledger' }))
  const { failed } = await begin(session, 'revoked')
  oidc.knobs.down(true)
  aws.faults.fail('AssumeRoleWithWebIdentity', 'IDPCommunicationError')
  await company.api('bob', 'POST', `/api/v1/grants/${granted.id}/revoke`, { reason: 'incident 42' })
  t.match(await failed, { code: '57P01' })
  await waitUntil(async () => !(await runs('revoked')), 'it has ended at the target')
  t.match(await eventOf('session.ended', session.sessionId), {
    fields: { reason: 'grant-revoked', unfinished: 'ended' },
  })
  oidc.knobs.down(false)
  aws.faults.clear()
})

/** Kills the daemon in the middle of a statement, and starts it again. */
async function leave(t: Test, marker: string, meanwhile: () => void): Promise<string> {
  const session = await open(await issueToken(company, 'alice', { resource: 'ledger' }))
  const { failed } = await begin(session, marker)
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  await failed
  t.ok(await runs(marker), 'it runs on')
  meanwhile()
  company.daemon = await startDaemon(sandbox, { files: company.daemon })
  return session.sessionId
}

await t.test(
  'what a dead daemon left running is ended by the sign-in of the person, if that still stands',
  async (t) => {
    await company.grant(3_600_000, 'ledger')
    const sessionId = await leave(t, 'lost', () => {})
    t.match(await eventOf('session.work-ended', sessionId), { fields: { session: sessionId } })
    await waitUntil(async () => !(await runs('lost')), 'it has ended at the target')
  },
)

await t.test('if it does not, nothing can end it, and the log says so in plain words', async (t) => {
  const sessionId = await leave(t, 'left', () => oidc.knobs.disable('alice'))
  t.match(await eventOf('session.work-left', sessionId), {
    fields: { session: sessionId, code: 'LOGIN_REQUIRED', backend_pid: /^\d+$/ },
    text: { reason: /only a person’s own ID token, but the identity provider refused to renew this sign-in/ },
  })
  t.match(company.daemon.log(), /what a lost session left running could not be ended/)
  t.ok(await runs('left'))
})
