/**
 * Grants of permission sets as moto, which others wrote, ends up with them. It does each change at once and has no state for long; it keeps
 * what is assigned twice, and knows no membership of a group by group and person, so that groups cannot be tried there.
 */
import { CreateUserCommand, IdentitystoreClient } from '@aws-sdk/client-identitystore'
import { CreateOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations'
import {
  CreateAccountAssignmentCommand,
  CreatePermissionSetCommand,
  ListAccountAssignmentsCommand,
  ListInstancesCommand,
  SSOAdminClient,
} from '@aws-sdk/client-sso-admin'
import t from 'tap'
import { Paced } from '../../../../src/aws/paced.ts'
import type { Config } from '../../../../src/config/config.ts'
import { identityCenterPushers } from '../../../../src/kinds/identity-center/pushers.ts'
import { permissionSet } from '../../../../src/kinds/permission-set/kind.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal, startMotoHub, unhurried } from '../../aws/hub-setup.ts'
import { World } from '../../pushed/world.ts'
import { heldOf } from './pushers-setup.ts'

const hour = 3_600_000

t.test('moto', { skip: motoMissing() }, async (t) => {
  const { url, broker, config, metrics } = await startMotoHub(t)
  const credentials = await broker.hub?.()
  if (!credentials) throw new Error('there is a hub role')
  const sso = new SSOAdminClient({ endpoint: url, region, credentials })
  const store = new IdentitystoreClient({ endpoint: url, region, credentials })
  const organizations = new OrganizationsClient({ endpoint: url, region: 'us-east-1', credentials })
  t.teardown(() => {
    for (const client of [sso, store, organizations]) client.destroy()
  })
  await organizations.send(new CreateOrganizationCommand({ FeatureSet: 'ALL' }))
  const [{ InstanceArn, IdentityStoreId } = {}] = (await sso.send(new ListInstancesCommand({}))).Instances ?? []
  const user = async (UserName: string) => {
    const Name = { GivenName: UserName, FamilyName: 'X' }
    const asked = new CreateUserCommand({ IdentityStoreId, UserName, DisplayName: UserName, Name })
    return (await store.send(asked)).UserId ?? ''
  }
  const [alice, bob] = [await user('alice'), await user('bob')]
  const { PermissionSet } = await sso.send(new CreatePermissionSetCommand({ InstanceArn, Name: 'ReadOnly' }))
  const arn = PermissionSet?.PermissionSetArn ?? ''
  const listed = async () => {
    const asked = new ListAccountAssignmentsCommand({ InstanceArn, AccountId: accounts.data, PermissionSetArn: arn })
    return ((await sso.send(asked)).AccountAssignments ?? []).map(({ PrincipalId }) => PrincipalId)
  }
  const { permissionSets } = identityCenterPushers({
    ...{ aws: broker, metrics, paced: new Paced(unhurried) },
    config: { aws: config, inventory: { identityCenter: { region } } } as unknown as Config,
  })
  const set = heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, { arn })
  const world = new World()
  Object.assign(world.aws, { pusher: permissionSets, isForeign: async () => false })
  const [ofAlice, ofBob] = [permissionSets.membership(set, alice), permissionSets.membership(set, bob)]

  await t.test('two grants, extended and given back early, are one assignment; others keep theirs', async (t) => {
    const other = { InstanceArn, PermissionSetArn: arn, TargetId: accounts.data, TargetType: 'AWS_ACCOUNT' } as const
    await sso.send(new CreateAccountAssignmentCommand({ ...other, PrincipalType: 'USER', PrincipalId: bob }))
    const first = world.grant(ofAlice, hour)
    world.grant(ofAlice, 2 * hour)
    world.grant(ofBob, hour)
    await world.settle()
    t.same((await listed()).sort(), [alice, bob].sort())
    t.match(world.push(ofAlice), { state: 'granted', ownership: 'created' })
    t.match(world.push(ofBob), { state: 'granted', ownership: 'pre-existing' })
    world.end(first)
    await world.settle(hour)
    t.same((await listed()).sort(), [alice, bob].sort(), 'the second grant wants it still')
    await world.settle(hour)
    t.same(await listed(), [bob])
    t.match(world.push(ofAlice), { state: 'gone' })
    t.match(world.push(ofBob), { state: 'outside' })
    t.same(
      (await permissionSets.observeAll(set, signal)).map(({ userId }) => userId),
      [bob],
    )
  })

  await t.test('killed at random, it ends as grants want it', async (t) => {
    for (let seed = 1; seed <= 30; seed++) {
      let draws = seed
      world.isKilled = () => {
        draws = (draws * 48_271) % 2_147_483_647
        return draws % 10 === 0
      }
      const grant = world.grant(ofAlice, hour)
      for (let i = 0; i < 4; i++) await world.pass()
      world.isKilled = () => false
      await world.settle(16 * 60_000)
      t.same((await listed()).sort(), [alice, bob].sort(), `seed ${seed}: granted, and once`)
      world.end(grant)
      await world.settle()
      await world.settle(16 * 60_000)
      t.same(await listed(), [bob], `seed ${seed}: gone`)
    }
  })
})
