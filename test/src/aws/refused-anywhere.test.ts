/** Whichever call of a reading is refused, at whichever page: it fails with that call's name, and never gives a part. */
import t, { type Test } from 'tap'
import { readIdentityCenter } from '../../../src/aws/identity-center/read-identity-center.ts'
import { readOrganization } from '../../../src/aws/organization/read-organization.ts'
import type { AwsDouble } from '../../sandbox/aws.ts'
import { accounts } from '../../sandbox/default-world.ts'
import { signal } from './hub-setup.ts'
import { startIdentityCenter } from './identity-center/identity-center-setup.ts'
import { startOrganization } from './organization/organization-setup.ts'

const shape = { pageSize: 1, hasEmptyPages: true }

t.test('Organizations', async (t) => {
  const { aws, calls } = await startOrganization(t, (organization) => Object.assign(organization, shape))
  const read = () => readOrganization(calls, { signal })
  t.equal(await refusedAnywhere(t, aws, read), 6, 'operations')
})

t.test('Identity Center', async (t) => {
  for (const [assignments, operations] of [
    ['principals', 13],
    ['pairs', 13],
  ] as const) {
    const { aws, calls } = await startIdentityCenter(t, (center) => Object.assign(center, shape))
    const read = () => readIdentityCenter(calls, { managementAccount: accounts.hub, assignments, signal })
    t.equal(await refusedAnywhere(t, aws, read), operations, 'operations')
  }
})

/** @returns how many operations the reading has */
async function refusedAnywhere(t: Test, aws: AwsDouble, read: () => Promise<object>): Promise<number> {
  await read() // now the hub's credentials are there
  const before = aws.calls.length
  const whole = await read()
  const counts = new Map<string, number>()
  for (const { action } of aws.calls.slice(before)) counts.set(action, (counts.get(action) ?? 0) + 1)
  for (const [operation, count] of counts)
    for (let nth = 1; nth <= count; nth += 1) {
      aws.faults.failOnce(operation, nth, 'AccessDeniedException')
      const text = new RegExp(`:${operation} is not allowed`)
      await t.rejects(read(), { code: 'AWS_DENIED', message: text }, `${operation}, call ${nth} of ${count}`)
      aws.faults.clear()
    }
  t.same(await read(), whole)
  return counts.size
}
