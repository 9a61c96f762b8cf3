/** The same against moto, whose organization others wrote. It gives no empty pages and checks no permission. */
import {
  CreateAccountCommand,
  CreateOrganizationalUnitCommand,
  CreateOrganizationCommand,
  ListParentsCommand,
  ListRootsCommand,
  ListTagsForResourceCommand,
  MoveAccountCommand,
  OrganizationsClient,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-organizations'
import t from 'tap'
import { createOrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { startMotoHub, unhurried } from '../hub-setup.ts'
import { organizationContract } from './contract.ts'

t.test('moto', { skip: motoMissing() }, (t) =>
  organizationContract(t, async (t, plan) => {
    const { url, broker, config, metrics } = await startMotoHub(t)
    const keys = await broker.hub?.()
    if (!keys) throw new Error('there is a hub role')
    const client = new OrganizationsClient({ endpoint: url, region: 'us-east-1', credentials: keys })
    t.teardown(() => client.destroy())
    await client.send(new CreateOrganizationCommand({ FeatureSet: 'ALL' }))
    const root = (await client.send(new ListRootsCommand({}))).Roots?.[0]?.Id ?? ''
    const ids = new Map<string, string>()
    const idOf = (name: string | null) => (name === null ? root : (ids.get(name) ?? ''))
    const tagged = (tags: Readonly<Record<string, string>>) =>
      Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    const move = async (account: string, parent: string | null) => {
      const AccountId = idOf(account)
      const { Parents } = await client.send(new ListParentsCommand({ ChildId: AccountId }))
      const [SourceParentId, DestinationParentId] = [Parents?.[0]?.Id, idOf(parent)]
      if (SourceParentId !== DestinationParentId)
        await client.send(new MoveAccountCommand({ AccountId, SourceParentId, DestinationParentId }))
    }
    for (const { name, parent, tags } of plan.units) {
      const input = { Name: name, ParentId: idOf(parent), Tags: tagged(tags) }
      const { OrganizationalUnit } = await client.send(new CreateOrganizationalUnitCommand(input))
      ids.set(name, OrganizationalUnit?.Id ?? '')
    }
    for (const [index, { name, parent, tags }] of plan.accounts.entries()) {
      const input = { AccountName: name, Email: `aws+${index}@example.com`, Tags: tagged(tags) }
      const { CreateAccountStatus } = await client.send(new CreateAccountCommand(input))
      ids.set(name, CreateAccountStatus?.AccountId ?? '')
      await move(name, parent)
    }
    return {
      calls: createOrganizationCalls({ aws: broker, config, metrics, paced: new Paced(unhurried) }),
      managementAccount: accounts.hub,
      move,
      tag: async (name, tags) => {
        const ResourceId = idOf(name)
        const { Tags = [] } = await client.send(new ListTagsForResourceCommand({ ResourceId }))
        await client.send(new UntagResourceCommand({ ResourceId, TagKeys: Tags.map(({ Key = '' }) => Key) }))
        await client.send(new TagResourceCommand({ ResourceId, Tags: tagged(tags) }))
      },
    }
  }),
)
