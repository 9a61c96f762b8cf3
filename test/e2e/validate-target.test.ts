/** What `aws validate RESOURCE` finds at real servers behind the doubles of RDS: right ones, and each way to be wrong. */
import { test } from 'tap'
import { statements as mysqlStatements } from '../../src/kinds/rds-mysql/validate.ts'
import { statements as postgresStatements } from '../../src/kinds/rds-postgres/validate.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import { startCommand } from '../sandbox/commands.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { type Company, startCompany } from './company.ts'

interface Report {
  readonly resource: string
  readonly level: string
  readonly levels: readonly string[]
  readonly session: string
  readonly ok: boolean
  readonly checks: readonly { check: string; outcome: string; detail: string; fix: string | null }[]
}

const withoutMariaDb = skipWithoutMariaDb()
const levels = (kind: string, readonly: object) => ({
  for: { kinds: [kind] },
  readonly: { db_user: 'sallyport_ro', databases: ['*'], ...readonly },
  admin: { db_user: 'sallyport_rw', databases: ['*'] },
  plain: { db_user: 'app', databases: ['*'] },
  absent: { db_user: 'nobody_has_it', databases: ['*'] },
})

const outcomes = ({ checks }: Report) => checks.map(({ check, outcome }) => `${outcome} ${check}`)
const problems = ({ checks }: Report) => checks.filter(({ outcome }) => outcome !== 'ok')

test('aws validate RESOURCE', async (t) => {
  const company = await startCompany({
    sandbox: withoutMariaDb ? {} : { mysql: {} },
    overrides: {
      levels: [
        levels('rds-postgres', { databases: ['orders'] }),
        ...(withoutMariaDb ? [] : [levels('rds-mysql', { databases: ['orders', 'billing', 'samples'] })]),
        { for: { kinds: ['iam-role'] }, readonly: {}, full: {} },
      ],
    },
  })
  t.teardown(() => company.close())
  const look = (resource: string, level: string) =>
    company.api<Report>('dave', 'POST', '/api/v1/aws/preflight', { resource, level })

  await t.test('a right PostgreSQL passes, and what was asked is on record', async (t) => {
    const report = await look('orders', 'readonly')
    t.same(outcomes(report), [
      'ok AWS',
      'ok TLS',
      'ok sign-in',
      'warn roles', // pg_read_all_data
      'warn default_transaction_read_only',
      'ok databases',
      'ok rights in orders',
    ])
    t.match(report, { ok: true, level: 'readonly', levels: ['readonly', 'admin', 'plain', 'absent'] })
    t.match(report.checks[1]?.detail, /^TLSv1\.3, .* orders\.abc123\./)
    await isOnRecord(t, company, report, Object.values(postgresStatements))
    t.equal((await look('orders', 'admin')).ok, true)
  })

  await t.test('PostgreSQL: rights beyond reading, one after the other', async (t) => {
    const run = (sql: string) => company.sandbox.postgres.query('orders', sql)
    const cases: readonly [what: string, undo: string, found: RegExp][] = [
      ['ALTER ROLE sallyport_ro CREATEDB', 'ALTER ROLE sallyport_ro NOCREATEDB', /CREATEDB, which is wider/],
      [
        'GRANT pg_signal_backend TO sallyport_ro',
        'REVOKE pg_signal_backend FROM sallyport_ro',
        /pg_signal_backend, which/,
      ],
      [
        'GRANT UPDATE (status) ON orders TO sallyport_ro',
        'REVOKE UPDATE (status) ON orders FROM sallyport_ro',
        /write public.orders/,
      ],
      ['GRANT sallyport_rw TO sallyport_ro', 'REVOKE sallyport_rw FROM sallyport_ro', /it can write public\.\S+, /],
      [
        'GRANT CREATE ON SCHEMA public TO sallyport_ro',
        'REVOKE CREATE ON SCHEMA public FROM sallyport_ro',
        /schema public/,
      ],
      [
        'REVOKE CONNECT ON DATABASE orders FROM PUBLIC',
        'GRANT CONNECT ON DATABASE orders TO PUBLIC',
        /permission denied/,
      ],
    ]
    for (const [what, undo, found] of cases) {
      await run(what)
      const report = await look('orders', 'readonly')
      t.equal(report.ok, false, what)
      const failed = report.checks.filter(({ outcome }) => outcome === 'fail')
      t.match(failed, [{ detail: found, fix: /\S/ }], what)
      await run(undo)
    }
    await run('ALTER ROLE sallyport_ro SET default_transaction_read_only = on')
    t.match(outcomes(await look('orders', 'readonly')), /ok default_transaction_read_only/)
  })

  await t.test('PostgreSQL: users that cannot sign in, and a target that cannot be reached or trusted', async (t) => {
    const { orders } = company.sandbox.databases
    for (const level of ['plain', 'absent'])
      t.match(problems(await look('orders', level)), [{ check: 'sign-in', detail: /rds_iam/ }])
    orders.faults.md5(true)
    t.match(problems(await look('orders', 'readonly')), [
      { check: 'sign-in', detail: /asks sallyport_ro for a password/ },
    ])
    t.equal(orders.logins.at(-1)?.accepted, false)
    await orders.faults.clear()
    orders.faults.refuse(true)
    t.match(problems(await look('orders', 'readonly')), [{ check: 'sign-in', fix: /IAM authentication is on/ }])
    orders.faults.refuse(false)
    await wrongWays(t, 'orders', orders.faults, () => orders.logins.length)
  })

  await t.test('a right MySQL passes, and what was asked is on record', { skip: withoutMariaDb }, async (t) => {
    const report = await look('shop', 'readonly')
    t.same(outcomes(report), ['ok AWS', 'ok TLS', 'ok sign-in', 'warn REQUIRE SSL', 'ok databases', 'ok rights'])
    t.match(report.checks[1]?.detail, /^TLSv1\.3, .* shop\.abc123\./)
    t.equal(report.ok, true)
    await isOnRecord(t, company, report, [mysqlStatements.account, mysqlStatements.grants])
  })

  await t.test('MySQL: rights beyond reading, one after the other', { skip: withoutMariaDb }, async (t) => {
    const { mariadb } = mysqlOf(company.sandbox)
    const cases: readonly [right: string, on: string, found: RegExp][] = [
      ['INSERT', 'orders.*', /INSERT, and the level is for reading/],
      ['UPDATE (status)', 'orders.orders', /UPDATE, and the level/],
      ['FILE', '*.*', /FILE, which is wider/],
      ['PROCESS', '*.*', /PROCESS, which is wider/],
      ['SUPER', '*.*', /SUPER, which is wider/],
      ['SELECT', '*.*', /includes the accounts/],
      ['SELECT', 'mysql.*', /rights on mysql/],
      ['SELECT', '`order_`.*', /rights on order_/],
      ['GRANT OPTION', 'orders.*', /may give its rights/],
    ]
    for (const [right, on, found] of cases) {
      await mariadb.query(`GRANT ${right} ON ${on} TO sallyport_ro@'%'`)
      const failed = (await look('shop', 'readonly')).checks.filter(({ outcome }) => outcome === 'fail')
      t.match(failed, [{ detail: found, fix: /\S/ }], right)
      await mariadb.query(`REVOKE ${right} ON ${on} FROM sallyport_ro@'%'`)
    }
    await mariadb.query("GRANT EXECUTE ON orders.* TO sallyport_ro@'%'")
    const report = await look('shop', 'readonly')
    t.match(problems(report), [{ check: 'REQUIRE SSL' }, { outcome: 'warn', detail: /a routine may write/ }])
    await mariadb.query("REVOKE EXECUTE ON orders.* FROM sallyport_ro@'%'")
    await mariadb.query("REVOKE ALL ON samples.* FROM sallyport_ro@'%'")
    t.match(problems(await look('shop', 'readonly')).at(-1), {
      outcome: 'fail',
      detail: 'it can read nothing in samples',
    })
    await mariadb.query("GRANT SELECT ON samples.* TO sallyport_ro@'%'")
  })

  await t.test(
    'MySQL: users that cannot sign in, and a target that cannot be reached or trusted',
    { skip: withoutMariaDb },
    async (t) => {
      const { shop } = mysqlOf(company.sandbox)
      for (const level of ['plain', 'absent'])
        t.match(problems(await look('shop', level)), [{ check: 'sign-in', detail: /AWSAuthenticationPlugin/ }])
      t.same(
        shop.logins.filter(({ user, answer }) => user === 'app' && answer.length > 0),
        [],
        'no token for another plugin',
      )
      shop.faults.refuse(true)
      t.match(problems(await look('shop', 'readonly')), [{ check: 'sign-in', fix: /IAM authentication is on/ }])
      shop.faults.refuse(false)
      await wrongWays(t, 'shop', shop.faults, () => shop.logins.length)
    },
  )

  interface Faults {
    down(on: boolean): Promise<void>
    certificate(leaf: ReturnType<ReturnType<typeof createAuthority>['issue']> | null): void
    plaintext(on: boolean): void
  }

  async function wrongWays(t: Tap, resource: string, faults: Faults, logins: () => number): Promise<void> {
    const before = logins()
    const { endpoint } = resource === 'shop' ? mysqlOf(company.sandbox).shop : company.sandbox.databases.orders
    faults.certificate(createAuthority().issue([endpoint.host]))
    t.match(problems(await look(resource, 'readonly')), [{ check: 'TLS', outcome: 'fail', fix: /trusted roots/ }])
    faults.certificate(company.sandbox.authority.issue(['another.example.com']))
    t.match(problems(await look(resource, 'readonly')), [
      { check: 'TLS', outcome: 'fail', fix: /not for this endpoint/ },
    ])
    faults.certificate(null)
    t.equal(logins(), before, 'nothing of the sign-in was sent')
    faults.plaintext(true)
    t.match(problems(await look(resource, 'readonly')), [{ check: 'TLS', detail: /does not offer TLS/ }])
    faults.plaintext(false)
    await faults.down(true)
    t.match(problems(await look(resource, 'readonly')), [{ check: 'connection', fix: /security group/ }])
    await faults.down(false)
  }

  const psql = skipWithout('psql')
  await t.test(
    'what aws prepare prints makes a reader that passes, and may be run again',
    { skip: psql },
    async (t) => {
      const { postgres } = company.sandbox
      for (const database of ['orders', 'billing']) await postgres.query(database, 'DROP OWNED BY sallyport_ro')
      await postgres.query('postgres', 'DROP ROLE sallyport_ro')
      t.equal((await look('orders', 'readonly')).ok, false)
      const { steps } = await company.api<{ steps: { levels: string[]; text: string }[] }>(
        'dave',
        'GET',
        '/api/v1/aws/preparation?resource=orders',
      )
      const text = steps.find((step) => step.levels.includes('readonly'))?.text ?? ''
      const [port = ''] = /[0-9]+$/.exec(postgres.socketPath) ?? []
      const asAdministrator = [
        '-X',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        postgres.socketDir,
        '-p',
        port,
        '-U',
        'postgres',
        'postgres',
      ]
      for (const _ of ['once', 'again'])
        t.match(await startCommand('psql', asAdministrator, process.env, text).ended, { code: 0 })
      t.same(problems(await look('orders', 'readonly')), [])
    },
  )

  await t.test('the command: each level, and exit code 1 when one fails', async (t) => {
    const { code, stdout, stderr } = await company.commands.dave.run(['aws', 'validate', 'orders'])
    t.equal(code, 1, stderr)
    t.match(stdout, /orders at level readonly, session ses_/)
    t.match(stdout, /failed: level plain, absent\n$/)
    const one = await company.commands.dave.run(['aws', 'validate', 'orders', '--level', 'admin', '--json'])
    t.equal(one.code, 0, one.stderr)
    t.match(JSON.parse(one.stdout), [{ level: 'admin', ok: true }])
  })

  await t.test('for admins alone; unknown levels and kinds are said so', async (t) => {
    const ask = (who: 'alice' | 'carol' | 'dave', body: object) =>
      company.call(who, 'POST', '/api/v1/aws/preflight', body)
    for (const who of ['alice', 'carol'] as const)
      t.match(await (await ask(who, { resource: 'orders' })).json(), { code: 'ROLE_REQUIRED' })
    t.match(await (await ask('dave', { resource: 'orders', level: 'none' })).json(), { code: 'LEVEL_UNKNOWN' })
    t.match(await (await ask('dave', { resource: 'ReportsReader' })).json(), { code: 'UNSUPPORTED' })
  })

  await t.test('the log and the store verify', async (t) => {
    const { code, stdout } = await company.commands.carol.run(['audit', 'verify'])
    t.equal(code, 0, stdout)
  })
})

type Tap = import('tap').Test

/** The session, its events and its recording, which holds these statements and no others. */
async function isOnRecord(t: Tap, company: Company, report: Report, said: readonly string[]): Promise<void> {
  const { session } = report
  const { events } = await company.api<{ events: { type: string; actor: string; fields: object }[] }>(
    'carol',
    'GET',
    `/api/v1/audit/events?subject=${session}`,
  )
  const types = events.map(({ type }) => type).filter((type) => type !== 'audit.read')
  t.same(types.sort(), ['resource.validated', 'session.ended', 'session.started'])
  t.match(
    events.find(({ type }) => type === 'session.started'),
    { actor: 'system:preflight', fields: { level: 'readonly', credential: /^lgn_/ } },
  )
  const asked = events.find(({ type }) => type === 'resource.validated')
  t.match(asked, { actor: /^prn_/, fields: { resource: report.resource, session, failed: [] } })
  const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${session}`)).text()
  const [head, ...entries] = text
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))
  t.match(head, { session: { principal: 'system:preflight' }, verified: { ok: true } })
  t.same(
    entries.filter(({ begun }) => begun === undefined).map(({ sql }) => sql),
    said,
  )
  t.same(
    entries.filter(({ error }) => error !== undefined),
    [],
  )
}
