/** Who took a role, as CloudTrail has it. */
import t from 'tap'
import { createTrailReader } from '../../../../src/aws/estate/trail.ts'
import { findRole, type World } from '../../../sandbox/aws/world.ts'
import type { AwsDouble } from '../../../sandbox/aws.ts'
import { accounts, arns } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

const at = Date.parse('2026-11-20T10:00:00Z')
const range = { since: at - 1000, until: at + 3_600_000 }

function take({ callers }: Pick<AwsDouble, 'callers'>, world: World, roleArn: string, name: string, issuedAt = at) {
  const role = findRole(world, roleArn)
  if (!role) throw new Error(`there is no role ${roleArn}`)
  return callers.issue(role, {
    ...{ roleArn, name, issuedAt, expiresAt: issuedAt + 3_600_000, policy: null, tags: {}, transitiveTagKeys: [] },
    ...{ sourceIdentity: name, isChained: true, assumedBy: `arn:aws:sts::${accounts.data}:assumed-role/x/y` },
  })
}

t.test('who was given keys of the role, and of no other, newest first', async (t) => {
  const { deps, aws, world } = await startEstate(t)
  const first = take(aws, world, arns.reports, 'alice')
  take(aws, world, arns.deploy, 'bob')
  const second = take(aws, world, arns.reports, 'carol', at + 1000)
  take(aws, world, arns.reports, 'early', at - 5000)
  const by = `arn:aws:sts::${accounts.data}:assumed-role/x/y`
  const use = { region: place.region, by, callerKeyId: null, grantTag: null }
  t.same(await createTrailReader(deps)(place, arns.reports, range, signal), {
    isWhole: true,
    taken: [
      { ...use, at: at + 1000, accessKeyId: second.accessKeyId, sessionName: 'carol', sourceIdentity: 'carol' },
      { ...use, at, accessKeyId: first.accessKeyId, sessionName: 'alice', sourceIdentity: 'alice' },
    ],
  })
  const elsewhere = await createTrailReader(deps)({ ...place, region: 'us-east-1' }, arns.reports, range, signal)
  t.same(elsewhere, { isWhole: true, taken: [] })
})

t.test('the grant that a call names, and whose keys it was made with', async (t) => {
  const { deps, aws, world } = await startEstate(t)
  const role = findRole(world, arns.reports)
  if (!role) throw new Error('there is such a role')
  const more = { transitiveTagKeys: [], sourceIdentity: null, isChained: true }
  const by = { assumedBy: `arn:aws:sts::${accounts.data}:assumed-role/x/y`, assumedWith: 'ASIAOFWHOTOOKIT00001' }
  const tags = { other: 'x', 'sallyport:grant': 'grt_1' }
  const session = { roleArn: arns.reports, name: 'alice', issuedAt: at, expiresAt: at + 3_600_000, policy: null, tags }
  aws.callers.issue(role, { ...session, ...more, ...by })
  t.match((await createTrailReader(deps)(place, arns.reports, range, signal)).taken, [
    { callerKeyId: 'ASIAOFWHOTOOKIT00001', grantTag: 'grt_1', sourceIdentity: null },
  ])
})

t.test('N-1: pages, also empty ones, and no more of them than is bearable', async (t) => {
  const { deps, aws, world, outcomes } = await startEstate(t, (world) => {
    world.lists = { pageSize: 2, hasEmptyPages: true }
  })
  for (let index = 0; index < 9; index += 1) take(aws, world, arns.reports, `alice-${index}`, at + index)
  const read = createTrailReader(deps)
  t.match(await read(place, arns.reports, range, signal), { isWhole: true, taken: { length: 9 } })
  t.match(await outcomes('cloudtrail'), { 'LookupEvents ok': 10 })
  take(aws, world, arns.reports, 'one-more', at + 10)
  take(aws, world, arns.reports, 'another', at + 11)
  t.match(await read(place, arns.reports, range, signal), { isWhole: false })
})

t.test('a denial, a region that is off', async (t) => {
  const { deps, aws, world } = await startEstate(t)
  const read = createTrailReader(deps)
  aws.faults.deny('cloudtrail:LookupEvents')
  await t.rejects(read(place, arns.reports, range, signal), {
    code: 'AWS_DENIED',
    message: /cloudtrail:LookupEvents is not allowed/,
    hint: /--feature discovery/,
  })
  world.regionsOff = { [accounts.data]: [place.region] }
  await t.rejects(read(place, arns.reports, range, signal), { code: 'AWS_REGION_OFF' })
})
