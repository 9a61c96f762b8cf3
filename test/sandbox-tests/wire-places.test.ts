/** What is read in accounts and regions, both sides of the wire, against AWS's models as botocore has them: forms with XML, REST, JSON. */
import t from 'tap'
import { createClusterReader } from '../../src/aws/estate/clusters.ts'
import { createInstanceReader } from '../../src/aws/estate/instances.ts'
import { createRegionReader } from '../../src/aws/estate/regions.ts'
import { createServicesReader } from '../../src/aws/estate/services-used.ts'
import { createShellHistoryReader } from '../../src/aws/estate/shell-history.ts'
import { createTrailReader } from '../../src/aws/estate/trail.ts'
import { accounts, arns, bastions, region } from '../sandbox/default-world.ts'
import { skipWithoutPython } from '../sandbox/programs.ts'
import { type Exchange, misfits } from '../sandbox/wire-models.ts'
import { place, startEstate } from '../src/aws/estate/estate-setup.ts'
import { signal } from '../src/aws/hub-setup.ts'

const skip = skipWithoutPython('botocore')
const ours = ['ec2', 'eks', 'ssm', 'cloudtrail', 'iam']

t.test('EC2, Systems Manager and EKS', { skip }, async (t) => {
  for (const lists of [
    { pageSize: 1000, hasEmptyPages: false },
    { pageSize: 1, hasEmptyPages: true },
  ]) {
    const exchanges: Exchange[] = []
    const { deps, aws } = await startEstate(
      t,
      (world) => {
        world.lists = lists
        const [first] = world.instances
        if (first) world.instances.push({ ...first, id: 'i-0b45710a000000009', state: 'stopped', platform: 'Windows' })
        Object.assign(first ?? {}, { profile: `arn:aws:iam::${accounts.data}:instance-profile/web`, imds: 'optional' })
        const cluster = { account: accounts.data, region, version: '1.33', createdAt: 1_772_000_000_000, awsAuth: [] }
        const more = { endpoint: `0.gr7.${region}.eks.amazonaws.com`, ca: 'pem', hasAuditLog: true, accessEntries: [] }
        for (const name of ['a', 'b', 'c'])
          world.clusters.push({ ...cluster, ...more, name, authenticationMode: 'API', tags: { team: 'web' } })
        const services = {
          ec2: { name: 'Amazon EC2', lastUsedAt: null },
          s3: { name: 'Amazon S3', lastUsedAt: 1_772_000_000_000, region },
        }
        for (const role of world.roles) role.services = services
        world.clusters.push({ ...cluster, ...more, name: 'd', authenticationMode: 'CONFIG_MAP', status: 'CREATING' })
      },
      { onExchange: (one) => exchanges.push(one) },
    )
    const instances = createInstanceReader(deps)
    const clusters = createClusterReader(deps)
    await createRegionReader(deps)(place, signal)
    t.equal((await instances.all(place, signal)).length, 4)
    await instances.one(place, bastions.first, signal)
    await instances.one(place, 'i-00000000000000000', signal)
    t.equal((await clusters.all(place, signal)).length, 4)
    await clusters.one(place, 'nothing', signal)
    const trail = createTrailReader(deps)
    await trail(place, arns.connect, { since: 0, until: Date.now() }, signal)
    await createShellHistoryReader(deps)(place, bastions.first, { since: 0, until: Date.now() }, signal)
    await createServicesReader(deps, 1)(place, arns.reports, signal)
    aws.faults.failOnce('DescribeInstances', 1, 'Throttling')
    aws.faults.failOnce('DescribeInstanceInformation', 1, 'ThrottlingException')
    await instances.all(place, signal)
    const judged = exchanges.filter(({ service }) => ours.includes(service))
    t.same(misfits(judged), [])
    t.same([...new Set(judged.map(({ operation }) => operation))].sort(), [
      'DescribeCluster',
      'DescribeInstanceInformation',
      'DescribeInstances',
      'DescribeRegions',
      'DescribeSessions',
      'GenerateServiceLastAccessedDetails',
      'GetRole',
      'GetServiceLastAccessedDetails',
      'ListAccessEntries',
      'ListClusters',
      'LookupEvents',
    ])
  }
})

t.test('what does not fit in forms and XML is found', { skip }, (t) => {
  const fits: Exchange = {
    service: 'ec2',
    operation: 'DescribeInstances',
    status: 200,
    request: { Action: 'DescribeInstances', Version: '2016-11-15', MaxResults: '500', 'Filter.1.Name': 'tag-key' },
    answer: wrap('<reservationSet><item><ownerId>1</ownerId></item></reservationSet><nextToken>a</nextToken>'),
  }
  t.same(misfits([fits]), [])
  t.same(
    misfits([
      { ...fits, request: { ...(fits.request as object), PageSize: '1' } },
      { ...fits, request: { 'Filter.1.Names': 'x' } },
      { ...fits, request: { MaxResults: 'many' } },
      { ...fits, answer: wrap('<reservations/>') },
      { ...fits, answer: wrap('<reservationSet><item><owner>1</owner></item></reservationSet>') },
      { ...fits, answer: wrap('<reservationSet><member/></reservationSet>') },
    ]),
    [
      'ec2:DescribeInstances request.PageSize is unknown',
      'ec2:DescribeInstances request.Filter.1.Names is unknown',
      'ec2:DescribeInstances request.MaxResults: str instead of integer',
      'ec2:DescribeInstances answer.reservations is unknown',
      'ec2:DescribeInstances answer.Reservations[0].owner is unknown',
      'ec2:DescribeInstances answer.Reservations[0] is unknown',
    ],
  )
  t.end()
})

function wrap(content: string): string {
  return `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>${content}</DescribeInstancesResponse>`
}
