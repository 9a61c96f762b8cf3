/** Changes of Identity Center against moto, which others wrote, as far as it plays them: it ends each at once, and knows no members by pair. */
import { CreateGroupCommand, CreateUserCommand, IdentitystoreClient } from '@aws-sdk/client-identitystore'
import { CreatePermissionSetCommand, ListInstancesCommand, SSOAdminClient } from '@aws-sdk/client-sso-admin'
import t from 'tap'
import { createIdentityCenterCalls } from '../../../../src/aws/identity-center/identity-center-calls.ts'
import { findInstance } from '../../../../src/aws/identity-center/read-identity-center.ts'
import { createDirectory } from '../../../../src/aws/identity-center/users.ts'
import { createIdentityCenterWrites } from '../../../../src/aws/identity-center/writes.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { uuid } from '../../../sandbox/identity-center-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { startMotoHub, unhurried } from '../hub-setup.ts'
import { writesContract } from './writes-contract.ts'

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
  const [{ InstanceArn, IdentityStoreId } = {}] = (await sso.send(new ListInstancesCommand({}))).Instances ?? []
  const [UserName, email] = ['dora', 'dora@example.com']
  const { UserId = '' } = await store.send(
    new CreateUserCommand({
      ...{ IdentityStoreId, UserName, DisplayName: UserName, Name: { GivenName: 'Dora', FamilyName: 'D' } },
      Emails: [{ Value: email, Primary: true }],
    }),
  )
  const { GroupId = '' } = await store.send(new CreateGroupCommand({ IdentityStoreId, DisplayName: 'On call' }))
  const { PermissionSet } = await sso.send(new CreatePermissionSetCommand({ InstanceArn, Name: 'ReadOnly' }))

  const deps = { aws: broker, config, metrics, region, paced: new Paced(unhurried) }
  const calls = createIdentityCenterCalls(deps)
  const writes = createIdentityCenterWrites({
    ...deps,
    findInstance: (signal) => findInstance(calls, { managementAccount: accounts.hub, signal }),
  })
  await writesContract(t, {
    writes,
    directory: createDirectory({ ...deps, instance: (signal) => writes.instance(signal) }),
    account: accounts.data,
    permissionSetArn: PermissionSet?.PermissionSetArn ?? '',
    user: { id: UserId, userName: UserName, email },
    group: GroupId,
    unknownId: uuid(99),
    lacks: ['GetGroupMembershipId'],
  })
})
