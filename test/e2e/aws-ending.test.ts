import { test } from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, arns } from '../sandbox/default-world.ts'
import { quietFor, waitFor, waitUntil } from '../wait-until.ts'
import { type AwsKeys, listBuckets } from './aws-tool.ts'
import { type Company, startCompany } from './company.ts'

const movableClock = import.meta.resolve('../sandbox/movable-clock.ts')

/** What becomes of a role's credentials when access ends: those to come, and those that were handed out. */
interface Issued extends AwsKeys {
  readonly session: string
  readonly expiresAt: number
}

interface Event {
  readonly type: string
  readonly at: number
  readonly fields: Readonly<Record<string, unknown>>
}

const issue = (company: Company, resource: string) =>
  company.api<Issued>('alice', 'POST', '/api/v1/aws/credentials', { resource, level: 'readonly' })

const revoke = (company: Company, id: string) =>
  company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })

async function events(company: Company, type: string): Promise<readonly Event[]> {
  return (await company.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
}

/** AWS answers in its own time, and failures are tried again. */
const withinMs = 20_000

const boundaryOf = (company: Company) => {
  const policy = company.sandbox.aws.world.managedPolicies.find(({ arn }) => arn === arns.revocations)
  const version = policy?.versions.find(({ id }) => id === policy.defaultVersion)
  return { text: JSON.stringify(version?.document), versions: policy?.versions.length ?? 0, id: version?.id }
}

test('sessions of roles end', async (t) => {
  const company = await startCompany({ env: { NODE_OPTIONS: `--import ${movableClock}` } })
  t.teardown(() => company.close())
  const endpoint = company.sandbox.aws.url

  await t.test('a revocable role: nothing new within a second, and the old keys are dead', async (t) => {
    const grant = await company.grant(3_600_000, 'ReportsReader')
    const keys = await issue(company, 'ReportsReader')
    t.same(await listBuckets(endpoint, keys), ['shop-reports', 'shop-exports'], 'they work')
    const decided = Date.now()
    await revoke(company, grant.id)
    const refused = await company.call('alice', 'POST', '/api/v1/aws/credentials', { resource: 'ReportsReader' })
    t.ok(Date.now() - decided < 1000)
    t.equal(refused.status, 403)
    t.match(await refused.text(), /revoked by bob@example.com: incident 42/)
    const killed = await waitFor(async () => (await events(company, 'credentials.killed'))[0], 'killed', withinMs, 50)
    t.match(killed.fields, {
      session: keys.session,
      grant: grant.id,
      access_keys: [keys.accessKeyId],
      works_until: keys.expiresAt,
      policy: arns.revocations,
      version: 'v2',
    })
    await t.rejects(listBuckets(endpoint, keys), { name: 'AccessDenied' })
    t.match(boundaryOf(company).text, new RegExp(`"aws:PrincipalTag/sallyport:grant":\\["${grant.id}"\\]`))
  })

  await t.test('kill of one session: that one is dead, the grant goes on with another', async (t) => {
    const grant = await company.grant(7_200_000, 'ReportsReader')
    const before = await issue(company, 'ReportsReader')
    await company.api('dave', 'POST', `/api/v1/sessions/${before.session}/kill`, { reason: 'looked odd' })
    await waitUntil(() => boundaryOf(company).text.includes(before.session), 'denied', withinMs, 50)
    await t.rejects(listBuckets(endpoint, before), { name: 'AccessDenied' })
    const after = await issue(company, 'ReportsReader')
    t.not(after.session, before.session)
    t.same(await listBuckets(endpoint, after), ['shop-reports', 'shop-exports'])
    await revoke(company, grant.id)
  })

  await t.test('a role without the boundary: written down until when the keys work', async (t) => {
    const grant = await company.grant(3_600_000, 'Deployer')
    const keys = await issue(company, 'Deployer')
    await revoke(company, grant.id)
    const outlive = await waitFor(
      async () => (await events(company, 'credentials.outlive'))[0],
      'outlive',
      withinMs,
      50,
    )
    t.match(outlive.fields, { session: keys.session, access_keys: [keys.accessKeyId], works_until: keys.expiresAt })
    t.equal((await listBuckets(endpoint, keys)).length, 2, 'and so they do')
    const again = await company.call('alice', 'POST', '/api/v1/aws/credentials', { resource: 'Deployer' })
    t.equal(again.status, 403, 'nothing new all the same')
  })

  await t.test('a deny list that cannot be written: said at once, tried again, done', async (t) => {
    company.sandbox.aws.faults.deny('iam:CreatePolicyVersion')
    const grant = await company.grant(3_600_000, 'ReportsReader')
    const keys = await issue(company, 'ReportsReader')
    await revoke(company, grant.id)
    const failed = await waitFor(
      async () => (await events(company, 'credentials.kill-failed'))[0],
      'kill-failed',
      withinMs,
      50,
    )
    t.match(failed.fields, { session: keys.session, code: 'AWS_DENIED', works_until: keys.expiresAt })
    t.equal((await listBuckets(endpoint, keys)).length, 2)
    company.sandbox.aws.faults.clear()
    await waitUntil(() => boundaryOf(company).text.includes(grant.id), 'denied in the end', withinMs, 50)
    await t.rejects(listBuckets(endpoint, keys), { name: 'AccessDenied' })
  })

  const alone = company.sandbox.stores ? 'a daemon hours ahead of its shared store leads nothing' : false
  await t.test('entries leave the deny list when the keys have run out', { skip: alone }, async (t) => {
    t.match(boundaryOf(company).text, /sallyport:grant/)
    t.ok(boundaryOf(company).versions <= 5)
    for (let hour = 0; hour < 2; hour++) {
      company.daemon.signal('SIGUSR2')
      company.sandbox.clock.advance(3_600_000)
      await quietFor(200, 'signals that come together count as one')
    }
    await waitUntil(() => !/sallyport:(grant|session)/.test(boundaryOf(company).text), 'cleaned', withinMs, 50)
    t.match(boundaryOf(company).text, /"Sid":"Ceiling"/, 'what its owner wrote is there')
    t.ok(boundaryOf(company).versions <= 5)
  })
})

test('access that is taken away while the daemon is down, or by a daemon that dies at once', async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const grant = await company.grant(3_600_000, 'ReportsReader')
  const keys = await issue(company, 'ReportsReader')
  company.sandbox.aws.faults.slow(3000) // the daemon dies before IAM has answered
  await revoke(company, grant.id)
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  company.sandbox.aws.faults.clear()
  t.equal((await listBuckets(company.sandbox.aws.url, keys)).length, 2, 'not killed yet')
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  const ours = new RegExp(`${keys.session}|${grant.id}`) // by which, depends on how far the first one came
  await waitUntil(() => ours.test(boundaryOf(company).text), 'killed after the start', withinMs, 50)
  await t.rejects(listBuckets(company.sandbox.aws.url, keys), { name: 'AccessDenied' })
  t.equal(accounts.data, keys.accountId)
})

test('a daemon that is stopped does not wait for sessions of roles, and takes nothing from anybody', async (t) => {
  const company = await startCompany({ overrides: { server: { drain: '2m' } } })
  t.teardown(() => company.close())
  await company.grant(3_600_000, 'ReportsReader')
  const keys = await issue(company, 'ReportsReader')
  const since = performance.now()
  company.daemon.signal('SIGTERM')
  t.equal(await company.daemon.exited, 0)
  t.ok(performance.now() - since < 20_000, 'long before server.drain is over')
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  t.same(await listBuckets(company.sandbox.aws.url, keys), ['shop-reports', 'shop-exports'])
  t.notMatch(boundaryOf(company).text, /sallyport:/)
  const again = await issue(company, 'ReportsReader')
  t.not(again.session, keys.session)
  const [ended] = await events(company, 'session.ended')
  t.match(ended?.fields, { session: keys.session, reason: 'drain' })
})
