/** The regions that an account has switched on, from the double and from moto. */
import t from 'tap'
import { createRegionReader } from '../../../../src/aws/estate/regions.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate, startMotoEstate } from './estate-setup.ts'

const optIn = 'ap-east-1'

t.test('what an account has switched on, and nothing else', async (t) => {
  const { deps } = await startEstate(t, (world) => {
    world.regions.push(optIn, 'me-south-1')
    world.regionsOff = { [accounts.data]: [optIn] }
  })
  t.same(await createRegionReader(deps)(place, signal), [region, 'me-south-1', 'us-east-1'])
})

t.test('a region that is off is a state of its own', async (t) => {
  const { deps, outcomes } = await startEstate(t, (world) => {
    world.regions.push(optIn)
    world.regionsOff = { [accounts.data]: [optIn] }
  })
  const read = createRegionReader(deps)
  await t.rejects(read({ ...place, region: optIn }, signal), {
    code: 'AWS_REGION_OFF',
    message: `the region is not enabled: ${optIn} in account ${accounts.data}`,
  })
  t.same(await outcomes('ec2'), { 'DescribeRegions error': 1 }, 'it is asked once')
  t.same(await read(place, signal), [region, 'us-east-1'], 'others go on')
})

for (const code of ['UnrecognizedClientException', 'AuthFailure', 'OptInRequired', 'InvalidClientTokenId'])
  t.test(`${code} says that it is off`, async (t) => {
    const { deps, aws } = await startEstate(t)
    aws.faults.fail('DescribeRegions', code)
    await t.rejects(createRegionReader(deps)(place, signal), { code: 'AWS_REGION_OFF' })
  })

t.test('a denial names the call, the account and what to do', async (t) => {
  const { deps, aws, outcomes } = await startEstate(t)
  aws.faults.deny('ec2:DescribeRegions')
  await t.rejects(createRegionReader(deps)(place, signal), {
    code: 'AWS_DENIED',
    message: new RegExp(`ec2:DescribeRegions is not allowed in account ${accounts.data}`),
    hint: /aws policies --feature/,
  })
  t.same(await outcomes('ec2'), { 'DescribeRegions denied': 1 })
})

t.test('throttles are waited for', async (t) => {
  const { deps, aws } = await startEstate(t)
  aws.faults.failOnce('DescribeRegions', 1, 'RequestLimitExceeded')
  t.same(await createRegionReader(deps)(place, signal), [region, 'us-east-1'])
})

t.test('partitions never mix', async (t) => {
  const { deps } = await startEstate(t, (world) => world.regions.push('cn-north-1', 'us-gov-west-1', 'us-iso-east-1'))
  const read = createRegionReader(deps)
  t.same(await read(place, signal), [region, 'us-east-1'])
})

t.test('moto, which names the regions of every partition', { skip: motoMissing() }, async (t) => {
  const { deps } = await startMotoEstate(t)
  const found = await createRegionReader(deps)(place, signal)
  t.ok(found.includes(region))
  t.notOk(found.some((name) => /^(cn|us-gov)-/.test(name)))
})
