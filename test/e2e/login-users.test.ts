/** A database user for each person, at real PostgreSQL behind the double of RDS: each gets their own, and nobody another's. */
import pg from 'pg'
import t from 'tap'
import { sign } from '../../src/kinds/rds/lease.ts'
import { instances, region } from '../sandbox/default-world.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { waitFor } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { mySqlClientFor, rowsOf } from './mysql-client.ts'

/** Written anew each time: a configuration may not hold YAML aliases. */
const level = () => ({ db_user: 'sallyport_{login}', databases: ['orders'] })
const withoutMariaDb = skipWithoutMariaDb()
const databases = ['rds-postgres', ...(withoutMariaDb ? [] : ['rds-mysql'])]
const company = await startCompany({
  ...(withoutMariaDb ? {} : { sandbox: { mysql: {} } }),
  overrides: {
    oidc: { login_claim: 'preferred_username' },
    levels: [
      ...(withoutMariaDb ? [] : [{ for: { kinds: ['rds-mysql'] }, own: level() }]),
      { for: { kinds: ['rds-postgres'] }, own: level(), reviewed: level(), readonly: { db_user: 'sallyport_ro' } },
      { for: { kinds: ['iam-role'] }, readonly: {}, full: {} },
    ],
    access: [
      {
        name: 'own-users',
        who: { groups: ['engineering'] },
        what: { kinds: databases },
        levels: ['own'],
        max_duration: '8h',
      },
      {
        name: 'reviewed-users',
        who: { groups: ['engineering'] },
        what: { kinds: ['rds-postgres'] },
        levels: ['reviewed'],
        max_duration: '8h',
        approval: { stages: [{ any_of: ['group:database-owners'] }] },
      },
    ],
  },
})
t.teardown(() => company.close())
const { sandbox, api, call } = company
const { orders } = sandbox.databases
for (const name of ['alice', 'bob'])
  await sandbox.postgres.query('postgres', `CREATE ROLE sallyport_${name} LOGIN IN ROLE rds_iam, pg_read_all_data`)

interface Row {
  readonly id: string
  readonly detail: Readonly<Record<string, string>>
}

interface Granted {
  readonly grant: { readonly id: string; readonly loginName: string }
}
const request = (who: 'alice' | 'bob', more: object = {}) =>
  api<Granted>(who, 'POST', '/api/v1/requests', { resource: 'orders', level: 'own', ...more })
const refused = async (who: 'alice' | 'bob') =>
  await (await call(who, 'POST', '/api/v1/requests', { resource: 'orders', level: 'own' })).json()
const revoke = (id: string) => api('dave', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'done' })
/** The provider sends other claims from now on, and the person has signed in again. */
const calls = async (who: 'alice' | 'bob', claims: Record<string, unknown>) => {
  sandbox.oidc.knobs.setClaims(who, claims)
  await company.signIn([who])
}

t.test('two people, each with their own user, by a token for it alone', async (t) => {
  const grants = []
  for (const who of ['alice', 'bob'] as const) {
    const { grant } = await request(who)
    t.equal(grant.loginName, who)
    grants.push(grant.id)
    const { client, sessionId } = await openDatabase(company, who)
    const { rows } = await client.query('select current_user as who, session_user as session')
    t.same(rows, [{ who: `sallyport_${who}`, session: `sallyport_${who}` }])
    await client.end()
    t.match(orders.logins.at(-1), { user: `sallyport_${who}`, accepted: true })
    const user = async () => {
      const { sessions } = await api<{ sessions: Row[] }>('carol', 'GET', '/api/v1/sessions')
      return sessions.find(({ id }) => id === sessionId)?.detail.user
    }
    t.equal(await waitFor(user, 'the row of the session says who signed in'), `sallyport_${who}`)
  }
  for (const id of grants) await revoke(id)
})

t.test('the same in MySQL', { skip: withoutMariaDb }, async (t) => {
  const { mariadb, shop } = mysqlOf(sandbox)
  for (const who of ['alice', 'bob'] as const) {
    await mariadb.addIamUser(`sallyport_${who}`)
    const { grant } = await request(who, { resource: 'shop' })
    const { connection } = await mySqlClientFor(company, await issueToken(company, who, { resource: 'shop' }))
    t.match(await rowsOf(connection, 'select current_user() as who'), [{ who: `sallyport_${who}@%` }])
    await connection.end()
    t.match(shop.logins.at(-1), { user: `sallyport_${who}`, accepted: true })
    await revoke(grant.id)
  }
})

t.test('the keys of one person’s session sign nobody else in', async (t) => {
  const { grant } = await request('alice')
  const { client } = await openDatabase(company)
  await client.end()
  const caller = sandbox.aws.callers.issued.findLast(({ session }) => session?.tags['sallyport:grant'] === grant.id)
  if (!caller?.session) throw new Error('no session was issued for the grant')
  const { accessKeyId, secretAccessKey, session } = caller
  const keys = { accessKeyId, secretAccessKey, sessionToken: session.token, expiresAt: session.expiresAt }
  const { endpoint } = instances.orders
  const signIn = async (user: string) => {
    const password = await sign({ endpoint, port: 5432, region }, user, keys)
    const ssl = { ca: sandbox.authority.cert, servername: endpoint }
    return new pg.Client({ host: '127.0.0.1', port: orders.listenPort, user, password, database: 'orders', ssl })
  }
  t.match(await refusal(await signIn('sallyport_alice')), { message: 'it opened' })
  for (const user of ['sallyport_bob', 'sallyport_rw', 'sallyport_ro']) {
    t.match(await refusal(await signIn(user)), { code: '28000' }, user)
    t.match(orders.logins.at(-1), { user, accepted: false, reason: /may not rds-db:connect/ })
  }
  await revoke(grant.id)
})

t.test('who approves sees the user, and a claim that changes later changes nothing that was given', async (t) => {
  const asked = await api<{ request: { id: string } }>('alice', 'POST', '/api/v1/requests', {
    resource: 'orders',
    level: 'reviewed',
  })
  const path = `/api/v1/requests/${asked.request.id}`
  const { request: shown } = await api<{ request: { digest: string } }>('bob', 'GET', path)
  t.match(shown, { loginName: 'alice', limits: [/Signs in as sallyport_alice, a database user for this person alone/] })
  const { grant } = await api<Granted>('bob', 'POST', `${path}/approve`, { digest: shown.digest })
  await calls('alice', { preferred_username: 'carla' })
  const client = clientFor(company, await issueToken(company, 'alice', { level: 'reviewed' }))
  await client.connect()
  t.match((await client.query('select current_user as who')).rows, [{ who: 'sallyport_alice' }])
  await client.end()
  await revoke(grant.id)
  t.match((await request('alice')).grant, { loginName: 'carla' })
  await revoke((await api<{ grants: { id: string }[] }>('alice', 'GET', '/api/v1/grants')).grants[0]?.id ?? '')
  await calls('alice', {})
})

t.test('who calls themselves a colleague, or nothing usable, gets nothing, and is told at once', async (t) => {
  await calls('bob', { preferred_username: 'alice' })
  const posing = await refused('bob')
  t.match(posing, { code: 'LOGIN_NAME_UNUSABLE', detail: /gives alice to another person too/, hint: /unique/ })
  t.notMatch(JSON.stringify(posing), /alice@|prn_/)
  t.match(await refused('alice'), { code: 'LOGIN_NAME_UNUSABLE' }, 'nothing says whose it is')
  for (const name of ['Bob', 'bob ', 'bob"; drop role x', null, ['bob']]) {
    await calls('bob', { preferred_username: name })
    t.match(await refused('bob'), { code: 'LOGIN_NAME_UNUSABLE', hint: /--fresh/ }, JSON.stringify(name))
  }
  await calls('bob', {})
  t.match((await request('alice')).grant, { loginName: 'alice' })
  t.match((await request('bob')).grant, { loginName: 'bob' })
  t.notOk(
    orders.logins.some(({ user }) => !/^sallyport_(alice|bob|ro|rw)$/.test(user)),
    'nobody else was ever tried',
  )
})

t.test('prepare and validate, for one person', async (t) => {
  const { dave } = company.commands
  const all = await dave.run(['aws', 'prepare', 'orders'])
  t.match(all.stdout, /CREATE ROLE "sallyport_ro"/)
  t.match(
    all.stdout,
    /for each person .* \(level own, reviewed\)\n-- For alice, who signs in as sallyport_alice:\n-- sallyport aws prepare RESOURCE --login alice/,
  )
  t.notMatch(all.stdout, /CREATE ROLE "sallyport_\{|CREATE ROLE "sallyport_alice/)
  const one = await dave.run(['aws', 'prepare', 'orders', '--login', 'alice'])
  t.match(
    one,
    { code: 0, stdout: /CREATE ROLE "sallyport_alice" LOGIN;[^\n]*\nGRANT rds_iam TO "sallyport_alice";/ },
    one.stderr,
  )
  t.notMatch(one.stdout, 'sallyport_ro')
  t.match(await dave.run(['aws', 'prepare', 'orders', '--login', 'Alice']), { code: 1, stderr: /login/ })
  const right = await dave.run(['aws', 'validate', 'orders', '--level', 'own', '--login', 'alice'])
  t.match(right.stdout, /as sallyport_alice with an IAM token/)
  const missing = await dave.run(['aws', 'validate', 'orders'])
  t.match(missing, { code: 1, stdout: /level own\n +FAILED +login name: .*\n +give one: --login NAME/ })
  t.match(missing.stdout, /as sallyport_ro with an IAM token/, 'the others are looked at all the same')
  const policies = await dave.run(['aws', 'policies', '--json'])
  t.match(policies.stdout, /dbuser:\*\/sallyport_\*"/)
})
