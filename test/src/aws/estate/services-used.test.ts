/** Which services a role was used for: a job that takes its time, in pages. */
import t from 'tap'
import { createServicesReader } from '../../../../src/aws/estate/services-used.ts'
import { findRole } from '../../../sandbox/aws/world.ts'
import { arns } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

const at = Date.parse('2026-11-20T10:00:00Z')

t.test('the latest use first, also over pages and empty ones', async (t) => {
  for (const lists of [
    { pageSize: 1000, hasEmptyPages: false },
    { pageSize: 1, hasEmptyPages: true },
  ]) {
    const { deps, operations } = await startEstate(t, (world) => {
      world.lists = lists
      Object.assign(findRole(world, arns.reports) ?? {}, {
        lastUsedAt: at - 2000,
        services: {
          ec2: { name: 'Amazon EC2', lastUsedAt: null },
          s3: { name: 'Amazon S3', lastUsedAt: at, region: 'eu-west-1' },
          sqs: { name: 'Amazon SQS', lastUsedAt: at + 1000, region: 'eu-west-1' },
        },
      })
    })
    const { role, services } = await createServicesReader(deps, 5)(place, arns.reports, signal)
    t.same(role, { at: at - 2000, region: 'eu-west-1' })
    t.same(services, [
      { service: 'sqs', name: 'Amazon SQS', lastUsedAt: at + 1000, region: 'eu-west-1' },
      { service: 's3', name: 'Amazon S3', lastUsedAt: at, region: 'eu-west-1' },
      { service: 'ec2', name: 'Amazon EC2', lastUsedAt: null, region: null },
    ])
    t.ok(operations().filter((one) => one === 'GetServiceLastAccessedDetails').length >= 2, 'it is not done at once')
  }
})

t.test('a role without the tag of the broker has no last use; one that is new has none yet', async (t) => {
  const { deps, aws } = await startEstate(t)
  const read = createServicesReader(deps, 5)
  t.same((await read(place, arns.reports, signal)).role, { at: null, region: null })
  Object.assign(findRole(aws.world, arns.reports) ?? {}, { tags: {} })
  t.equal((await read(place, arns.reports, signal)).role, null)
})

t.test('a denial, and an end to waiting', async (t) => {
  const { deps, aws } = await startEstate(t)
  const read = createServicesReader(deps, 3_600_000)
  const waiting = read(place, arns.reports, AbortSignal.timeout(50))
  await t.rejects(waiting, { name: /Abort|Timeout/ })
  aws.faults.deny('iam:GenerateServiceLastAccessedDetails')
  await t.rejects(read(place, arns.reports, signal), {
    code: 'AWS_DENIED',
    hint: /--feature discovery/,
  })
})
