/** Instances of a region, with their agents, against an AWS that refuses what AWS refuses. */
import t from 'tap'
import { createInstanceReader } from '../../../../src/aws/estate/instances.ts'
import type { Instance, World } from '../../../sandbox/aws/world.ts'
import { accounts, bastions, region, shellInstance } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

const profile = `arn:aws:iam::${accounts.data}:instance-profile/web`

function instance(number: number, more: Partial<Instance> = {}): Instance {
  const id = `i-${String(number).padStart(17, '0')}`
  return {
    id,
    account: accounts.data,
    region,
    agentVersion: '3.3.987.0',
    isOnline: true,
    tags: {},
    reaches: {},
    ...more,
  }
}

async function start(
  t: Parameters<typeof startEstate>[0],
  instances: Instance[],
  change: (world: World) => void = () => {},
) {
  const started = await startEstate(t, (world) => {
    world.instances = instances
    change(world)
  })
  return { ...started, reader: createInstanceReader(started.deps) }
}

t.test('what EC2 says of an instance, and Systems Manager of its agent', async (t) => {
  const launchedAt = Date.parse('2026-10-01T08:00:00Z')
  const tags = { Name: ' web & <co> "ü" ', 'sallyport:managed': 'true', empty: '' }
  const { reader, outcomes } = await start(t, [
    instance(1, { tags, profile, imds: 'optional', launchedAt, vpc: 'vpc-1', privateAddress: '10.1.2.3' }),
    instance(2, { isOnline: false, imds: 'off' }),
    instance(3, { hasNoAgent: true, platform: 'Windows' }),
    instance(4, { region: 'us-east-1' }),
    instance(5, { account: accounts.web }),
  ])
  const found = await reader.all(place, signal)
  t.same(found[0], {
    id: 'i-00000000000000001',
    title: 'web & <co> "ü"',
    state: 'running',
    platform: 'linux',
    launchedAt,
    vpc: 'vpc-1',
    privateAddress: '10.1.2.3',
    profile,
    imds: 'optional',
    agent: { isOnline: true, version: '3.3.987.0' },
    tags,
  })
  t.match(found.slice(1), [
    { id: 'i-00000000000000002', title: null, agent: { isOnline: false }, imds: 'off', profile: null },
    { id: 'i-00000000000000003', platform: 'windows', agent: null, imds: 'required' },
  ])
  t.equal(found.length, 3, 'of this account and region alone')
  t.same(await outcomes('ec2', 'ssm'), { 'DescribeInstances ok': 1, 'DescribeInstanceInformation ok': 1 })
})

t.test('N-1: pages end only when the token is absent', async (t) => {
  const many = Array.from({ length: 23 }, (_, index) => instance(index))
  const { reader, outcomes } = await start(t, many, (world) => {
    world.lists = { pageSize: 5, hasEmptyPages: true }
  })
  const seen: number[] = []
  const found = await reader.all(place, signal, (done) => seen.push(done))
  t.same(
    found.map(({ id }) => id),
    many.map(({ id }) => id),
  )
  t.ok(found.every(({ agent }) => agent?.isOnline))
  t.equal(seen.at(-1), 23)
  t.match(await outcomes('ec2', 'ssm'), { 'DescribeInstances ok': 10, 'DescribeInstanceInformation ok': 10 })
})

t.test('N-3: one that is stopped stays, from the state that EC2 has', async (t) => {
  const { reader, world } = await start(t, [instance(1), instance(2)])
  Object.assign(world.instances[1] ?? {}, { state: 'stopped' })
  t.match(await reader.all(place, signal), [
    { state: 'running', agent: { isOnline: true } },
    { state: 'stopped', agent: null },
  ])
  t.match(await reader.one(place, instance(2).id, signal), { state: 'stopped', agent: null })
})

t.test('what has ended is not there, although EC2 still shows it', async (t) => {
  const { reader } = await start(t, [
    instance(1),
    instance(2, { state: 'terminated' }),
    instance(3, { state: 'shutting-down' }),
  ])
  t.match(await reader.all(place, signal), [{ id: instance(1).id }])
  for (const id of [instance(2).id, instance(3).id, instance(9).id, 'i-1'])
    t.equal(await reader.one(place, id, signal), null, id)
  t.match(await reader.one(place, instance(1).id, signal), { id: instance(1).id, agent: { isOnline: true } })
})

t.test('where there is none, Systems Manager is not asked', async (t) => {
  const { reader, operations } = await start(t, [])
  t.same(await reader.all(place, signal), [])
  t.same(operations(), ['DescribeInstances'])
})

t.test('N-2: a denial in the middle of the pages is no end of them', async (t) => {
  const { reader, aws, outcomes } = await start(
    t,
    Array.from({ length: 12 }, (_, index) => instance(index)),
    (world) => {
      world.lists.pageSize = 5
    },
  )
  aws.faults.failOnce('DescribeInstances', 2, 'UnauthorizedOperation')
  await t.rejects(reader.all(place, signal), {
    code: 'AWS_DENIED',
    message: new RegExp(`ec2:DescribeInstances is not allowed in account ${accounts.data}, ${region}`),
    hint: /aws policies --feature discovery/,
  })
  t.same(await outcomes('ec2', 'ssm'), { 'DescribeInstances ok': 1, 'DescribeInstances denied': 1 })
})

t.test('without the agents nothing counts', async (t) => {
  const { reader, aws } = await start(t, [instance(1)])
  aws.faults.deny('ssm:DescribeInstanceInformation')
  await t.rejects(reader.all(place, signal), { code: 'AWS_DENIED', message: /ssm:DescribeInstanceInformation/ })
})

t.test('credentials that expire within a pass are renewed, throttles waited for', async (t) => {
  const { reader, aws } = await start(
    t,
    Array.from({ length: 12 }, (_, index) => instance(index)),
    (world) => {
      world.lists.pageSize = 5
    },
  )
  aws.faults.failOnce('DescribeInstances', 2, 'ExpiredToken')
  aws.faults.failOnce('DescribeInstances', 4, 'Throttling')
  aws.faults.failOnce('DescribeInstanceInformation', 1, 'Throttling')
  t.equal((await reader.all(place, signal)).length, 12)
})

t.test('a region that is off', async (t) => {
  const { reader } = await start(t, [instance(1)], (world) => {
    world.regionsOff = { [accounts.data]: [region] }
  })
  await t.rejects(reader.all(place, signal), { code: 'AWS_REGION_OFF', message: new RegExp(region) })
})

t.test('an account that lets nobody in says so', async (t) => {
  const { reader } = await start(t, [])
  await t.rejects(reader.all({ ...place, account: '999999999999' }, signal), {
    code: 'AWS_DENIED',
    message: /spoke role/,
  })
})

t.test('the instances of the sandbox', async (t) => {
  const { deps } = await startEstate(t)
  const found = await createInstanceReader(deps).all(place, signal)
  t.same(
    found.map(({ id, title }) => [id, title]).sort(),
    [
      [bastions.first, 'bastion'],
      [bastions.second, 'bastion'],
      [shellInstance, 'web'],
    ].sort(),
  )
})
