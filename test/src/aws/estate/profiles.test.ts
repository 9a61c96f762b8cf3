/** Instance profiles that give instances more than they should have. */
import t from 'tap'
import { createProfileReader } from '../../../../src/aws/estate/profiles.ts'
import { accounts, allow, arns } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

const profile = `arn:aws:iam::${accounts.data}:instance-profile/admin`

t.test('the powerful ones of an account, read once a day', async (t) => {
  const { deps, world, operations } = await startEstate(t)
  const [reports, deploy] = [arns.reports, arns.deploy].map((arn) => world.roles.find((role) => role.arn === arn))
  Object.assign(reports ?? {}, { profiles: [profile], policies: [allow('*', '*')], boundary: undefined })
  Object.assign(deploy ?? {}, { profiles: [`${profile}-not`] })
  let now = 0
  const read = createProfileReader(deps, () => now)
  const found = await read(place, signal)
  t.same(
    [...(found ?? [])].map(([arn, { role }]) => [arn, role]),
    [[profile, arns.reports]],
  )
  t.equal(found?.get(profile)?.admin.length, 1)
  t.same(await Promise.all([read(place, signal), read(place, signal)]), [found, found])
  t.equal(operations().length, 1)
  now += 86_400_000
  Object.assign(reports ?? {}, { policies: [] })
  const later = await Promise.all([read(place, signal), read(place, signal)])
  t.same(later, [new Map(), new Map()])
  t.equal(operations().length, 2, 'those who ask at once share a reading')
})

t.test('where roles may not be read nothing is known of them, and instances are still there', async (t) => {
  const { deps, aws } = await startEstate(t)
  aws.faults.deny('iam:GetAccountAuthorizationDetails')
  t.equal(await createProfileReader(deps, () => 0)(place, signal), null)
})

t.test('no answer is no answer: the reading of instances fails', async (t) => {
  const { deps, aws } = await startEstate(t)
  aws.faults.fail('GetAccountAuthorizationDetails', 'ServiceFailure')
  await t.rejects(createProfileReader(deps, () => 0)(place, signal), { code: 'AWS_UNAVAILABLE' })
})
