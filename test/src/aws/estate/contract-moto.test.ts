/** Instances and clusters against moto, as far as it plays them: it has no agents, and neither access entries nor modes of clusters. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CreateTagsCommand,
  EC2Client,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { CreateClusterCommand, DeleteClusterCommand, EKSClient } from '@aws-sdk/client-eks'
import t, { type Test } from 'tap'
import { createClusterReader } from '../../../../src/aws/estate/clusters.ts'
import { createInstanceReader } from '../../../../src/aws/estate/instances.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal } from '../hub-setup.ts'
import { place, startMotoEstate } from './estate-setup.ts'

const skip = motoMissing()

/** Systems Manager that knows no instance. */
async function startNoAgents(t: Test): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end('{"InstanceInformationList":[]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('instances', { skip }, async (t) => {
  const { client, deps } = await startMotoEstate(t, { ssm: await startNoAgents(t) })
  const ec2 = new EC2Client(client)
  t.teardown(() => ec2.destroy())
  const run = async (count: number) => {
    const input = { ImageId: 'ami-12c6146b', MinCount: count, MaxCount: count, InstanceType: 't3.micro' } as const
    const { Instances = [] } = await ec2.send(new RunInstancesCommand(input))
    return Instances.map(({ InstanceId = '' }) => InstanceId)
  }
  const three = await run(3) // of one reservation
  const [one = '', two = '', last = ''] = [...three, ...(await run(1))]
  const Tags = [
    { Key: 'Name', Value: 'web & <co>' },
    { Key: 'sallyport:managed', Value: 'true' },
  ]
  await ec2.send(new CreateTagsCommand({ Resources: [one], Tags }))
  await ec2.send(new StopInstancesCommand({ InstanceIds: [two] }))
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [last] }))
  const reader = createInstanceReader(deps)
  const found = await reader.all(place, signal)
  const byId = new Map(found.map((seen) => [seen.id, seen]))
  t.equal(found.length, 3)
  t.match(byId.get(one), { title: 'web & <co>', state: 'running', agent: null, tags: { 'sallyport:managed': 'true' } })
  t.match(byId.get(two), { title: null, state: 'stopped' })
  t.ok(found.every(({ launchedAt }) => launchedAt > 1_600_000_000_000))
  t.same(await reader.one(place, one, signal), byId.get(one))
  t.equal(await reader.one(place, last, signal), null)
  t.equal(await reader.one(place, 'i-00000000000000000', signal), null)
  t.same(await reader.all({ ...place, region: 'us-east-1' }, signal), [], 'regions are apart')
})

t.test('clusters', { skip }, async (t) => {
  const { client, deps } = await startMotoEstate(t)
  const eks = new EKSClient(client)
  t.teardown(() => eks.destroy())
  for (const name of ['web', 'batch', 'old'])
    await eks.send(
      new CreateClusterCommand({
        name,
        roleArn: `arn:aws:iam::${accounts.data}:role/cluster`,
        resourcesVpcConfig: { subnetIds: [] },
        tags: { team: name },
      }),
    )
  await eks.send(new DeleteClusterCommand({ name: 'old' }))
  const reader = createClusterReader(deps)
  const found = await reader.all(place, signal)
  t.match(found, [
    { name: 'batch', status: 'ACTIVE', tags: { team: 'batch' } },
    {
      name: 'web',
      arn: `arn:aws:eks:${region}:${accounts.data}:cluster/web`,
      endpoint: /^https:/,
      authenticationMode: 'CONFIG_MAP',
    },
  ])
  t.equal(found.length, 2)
  t.same(await reader.one(place, 'web', signal), found[1])
  t.equal(await reader.one(place, 'old', signal), null)
})
