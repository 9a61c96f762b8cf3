/**
 * Reading Identity Center against moto, which others wrote, as far as it plays it: people, groups, members, permission sets, assignments
 * of pairs and of principals. It has neither tags nor boundaries of permission sets, and a set that is provisioned anywhere is in its own account, as it says.
 */
import {
  CreateGroupCommand,
  CreateGroupMembershipCommand,
  CreateUserCommand,
  IdentitystoreClient,
} from '@aws-sdk/client-identitystore'
import {
  CreateAccountAssignmentCommand,
  CreatePermissionSetCommand,
  ListInstancesCommand,
  ProvisionPermissionSetCommand,
  SSOAdminClient,
} from '@aws-sdk/client-sso-admin'
import t from 'tap'
import { createIdentityCenterCalls } from '../../../../src/aws/identity-center/identity-center-calls.ts'
import { readIdentityCenter } from '../../../../src/aws/identity-center/read-identity-center.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal, startMotoHub, unhurried } from '../hub-setup.ts'

/** More than a page has. */
const people = 103

t.test('moto', { skip: motoMissing() }, async (t) => {
  const { url, broker, config, metrics } = await startMotoHub(t)
  const credentials = await broker.hub?.()
  if (!credentials) throw new Error('there is a hub role')
  const sso = new SSOAdminClient({ endpoint: url, region, credentials })
  const store = new IdentitystoreClient({ endpoint: url, region, credentials })
  t.teardown(() => {
    sso.destroy()
    store.destroy()
  })
  const [instance] = (await sso.send(new ListInstancesCommand({}))).Instances ?? []
  const { InstanceArn, IdentityStoreId } = instance ?? {}
  const userIds: string[] = []
  for (let index = 0; index < people; index += 1) {
    const UserName = `person-${index}`
    const { UserId = '' } = await store.send(
      new CreateUserCommand({
        IdentityStoreId,
        UserName,
        DisplayName: UserName,
        Name: { GivenName: 'Some', FamilyName: 'One' },
        Emails: [{ Value: `${UserName}@example.com`, Primary: true }],
      }),
    )
    userIds.push(UserId)
  }
  const { GroupId = '' } = await store.send(new CreateGroupCommand({ IdentityStoreId, DisplayName: 'Engineers' }))
  for (const UserId of userIds)
    await store.send(new CreateGroupMembershipCommand({ IdentityStoreId, GroupId, MemberId: { UserId } }))
  const { PermissionSet } = await sso.send(
    new CreatePermissionSetCommand({ InstanceArn, Name: 'ReadOnly', SessionDuration: 'PT4H' }),
  )
  const { PermissionSetArn } = PermissionSet ?? {}
  const assign = { InstanceArn, PermissionSetArn, TargetId: accounts.hub, TargetType: 'AWS_ACCOUNT' } as const
  for (const [PrincipalType, PrincipalId] of [
    ['GROUP', GroupId],
    ['USER', userIds[0]],
    ['USER', userIds[0]],
  ] as const)
    await sso.send(new CreateAccountAssignmentCommand({ ...assign, PrincipalType, PrincipalId }))
  await sso.send(
    new ProvisionPermissionSetCommand({
      InstanceArn,
      PermissionSetArn,
      TargetId: accounts.hub,
      TargetType: 'AWS_ACCOUNT',
    }),
  )

  const calls = createIdentityCenterCalls({ aws: broker, config, metrics, region, paced: new Paced(unhurried) })
  for (const assignments of ['principals', 'pairs'] as const) {
    const picture = await readIdentityCenter(calls, {
      managementAccount: accounts.hub,
      assignments,
      signal,
      known: () => ({ tags: {}, policies: { managed: [], customer: [], inline: null, boundary: null } }),
    })
    t.match(picture.instance, { arn: InstanceArn, identityStoreId: IdentityStoreId })
    t.same(picture.users.map(({ id }) => id).sort(), [...userIds].sort())
    t.match(
      picture.users.find(({ id }) => id === userIds[7]),
      { userName: 'person-7', email: 'person-7@example.com' },
    )
    t.match(picture.groups, [{ id: GroupId, name: 'Engineers', isExternal: false }])
    t.same(
      picture.groups[0]?.members.map(({ userId }) => userId),
      [...userIds].sort(),
    )
    t.match(picture.permissionSets, [{ arn: PermissionSetArn, name: 'ReadOnly', sessionMs: 4 * 3_600_000 }])
    t.match(picture.permissionSets[0]?.accounts, [accounts.hub])
    t.same(
      picture.assignments.map(({ account, principalType, principalId }) => [account, principalType, principalId]),
      [
        [accounts.hub, 'GROUP', GroupId],
        [accounts.hub, 'USER', userIds[0]],
      ],
      `${assignments}: moto keeps what was assigned twice`,
    )
  }
})
