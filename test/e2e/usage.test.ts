/** How grants were used, as people and the API see it. */
import t from 'tap'
import type { AwsUsage, GrantUsage } from '../../src/contract/grants.ts'
import { findRole } from '../sandbox/aws/world.ts'
import { accounts, arns } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

const company = await startCompany()
t.teardown(() => company.close())

async function usage(query = ''): Promise<readonly GrantUsage[]> {
  return (await company.api<{ usage: GrantUsage[] }>('carol', 'GET', `/api/v1/usage${query}`)).usage
}

await t.test('a grant that nobody has used', async (t) => {
  const { id } = await company.grant()
  t.match(await usage(), [{ grant: { id }, sessions: 0, open: 0, firstUsedAt: null, lastUsedAt: null }])
  t.same((await usage('?used=true')).length, 0)
  const { stdout } = await company.commands.alice.run(['usage', '--never-used'])
  t.match(stdout, new RegExp(`^${id} .* readonly +active +0 +never +-`, 'm'))
})

await t.test('one that is in use, and after it', async (t) => {
  const { client } = await openDatabase(company)
  await waitUntil(async () => (await usage())[0]?.open === 1, 'it is in use', 10_000)
  t.match((await company.commands.carol.run(['usage'])).stdout, /1, 1 open .*now/)
  await client.end()
  await waitUntil(async () => (await usage())[0]?.open === 0, 'it is over', 10_000)
  const [found] = await usage('?used=true')
  t.match(found, { sessions: 1, firstUsedAt: Number, lastUsedAt: Number })
  t.ok((found?.lastUsedAt ?? 0) >= (found?.firstUsedAt ?? 0))
  t.same(await usage('?used=false'), [])
})

await t.test('people see their own, and what they may revoke', async (t) => {
  const own = await company.api<{ usage: GrantUsage[] }>('alice', 'GET', '/api/v1/usage?who=me')
  t.equal(own.usage.length, 1)
  t.equal((await company.call('alice', 'GET', '/api/v1/usage?who=bob@example.com')).status, 404)
})

await t.test('who took a role in AWS: with the grant, and without any', async (t) => {
  const { aws, clock } = company.sandbox
  const role = `iam-role/${accounts.data}/ReportsReader`
  const { id } = await company.grant(3_600_000, role)
  await company.api('alice', 'POST', '/api/v1/aws/credentials', { resource: role })
  const roleArn = arns.reports
  const found = findRole(aws.world, roleArn)
  if (!found) throw new Error('there is no role')
  aws.callers.issue(found, {
    ...{ roleArn, name: 'mallory', issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000, policy: null, tags: {} },
    ...{
      transitiveTagKeys: [],
      sourceIdentity: null,
      isChained: true,
      assumedBy: 'arn:aws:iam::999999999999:user/mallory',
    },
  })
  const path = `/api/v1/usage/aws?resource=${encodeURIComponent(role)}`
  const answer = await company.api<AwsUsage>('carol', 'GET', path)
  t.match(answer, { resource: role, isWhole: true })
  const granted = answer.uses.find(({ grantId }) => grantId === id)
  t.match(granted, { sourceIdentity: /alice/, sessionId: /^ses_/, region: String, match: 'key' })
  const others = answer.uses.filter(({ grantId }) => grantId === null)
  t.match(others, [{ by: 'arn:aws:iam::999999999999:user/mallory', sessionId: null }])
  t.equal(others.length, 1)
  const { stdout } = await company.commands.carol.run(['usage', '--aws', '--resource', role])
  t.match(stdout, /NO GRANT .*mallory/)
  const without = await company.commands.carol.run(['usage', '--without-grant', '--resource', role])
  t.equal(without.stdout.trim().split('\n').length, 2, without.stdout)
  t.equal((await company.call('alice', 'GET', path)).status, 403)

  found.lastUsedAt = clock.now()
  found.services = { s3: { name: 'Amazon S3', lastUsedAt: clock.now() } }
  const services = await company.commands.carol.run(['usage', '--services', '--resource', role])
  t.match(services.stdout, /^last used 20.* in eu-west-1\n.*\ns3 +Amazon S3 +20/, services.stderr)
  t.equal((await company.call('carol', 'GET', '/api/v1/usage/aws?resource=orders')).status, 400)
})

await t.test('a role that the broker takes for databases: by the grant that it names', async (t) => {
  const { aws, clock } = company.sandbox
  const { client } = await openDatabase(company)
  await client.end()
  const { deploy } = arns
  const taken = aws.calls.filter(({ assumeRole }) => assumeRole?.roleArn === arns.databases)
  t.ok(taken.length > 0)
  const role = findRole(aws.world, deploy)
  if (!role) throw new Error('there is no role')
  const { id } = await company.grant(3_600_000, `iam-role/${accounts.data}/Deployer`)
  const as = (by: string, grantTag: string) =>
    aws.callers.issue(role, {
      ...{ roleArn: deploy, name: 'alice@example.com', issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000 },
      ...{ policy: null, tags: { 'sallyport:grant': grantTag }, transitiveTagKeys: [], sourceIdentity: null },
      ...{ isChained: true, assumedBy: by },
    })
  as(`arn:aws:sts::${accounts.data}:assumed-role/SallyportConnect/sallyport`, id)
  as(`arn:aws:sts::${accounts.data}:assumed-role/Other/mallory`, id)
  const path = `/api/v1/usage/aws?resource=${encodeURIComponent(`iam-role/${accounts.data}/Deployer`)}`
  const { uses } = await company.api<AwsUsage>('carol', 'GET', path)
  t.same(uses.map(({ match }) => match).sort(), ['tags', null].sort())
})
