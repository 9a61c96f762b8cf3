import t from 'tap'
import { arnHints, eventGroups } from '../../../../src/aws/events/event-table.ts'
import { EventProblem, readEvent, readRecord } from '../../../../src/aws/events/read-event.ts'
import { callEvent, record, samples } from './event-samples.ts'

const account = '222222222222'
const hintsOf = (of: object) => readRecord(record(of))?.hints

t.test('each event names what is to be read again', (t) => {
  const role = { discovery: 'iam-role', account, region: null, resourceId: `iam-role/${account}/App` }
  t.same(hintsOf(samples.createRole), [role])
  t.same(hintsOf(samples.tagRole), [role])
  for (const name of ['DeleteRole', 'PutRolePolicy', 'AttachRolePolicy', 'UpdateAssumeRolePolicy'])
    t.same(hintsOf({ ...samples.tagRole, eventName: name }), [role])
  const region = 'eu-west-1'
  const instance = { discovery: 'ec2-instance', account, region }
  const one = { ...instance, resourceId: `ec2-instance/${account}/${region}/i-0123456789abcdef0` }
  for (const sample of [samples.runInstances, samples.terminateInstances, samples.createTags])
    t.same(hintsOf(sample), [one])
  t.same(hintsOf(samples.createDBInstance), [{ discovery: 'rds', account, region: 'us-east-1' }])
  t.same(hintsOf(samples.createCluster), [
    { discovery: 'eks-cluster', account, region: 'us-east-1', resourceId: `eks-cluster/${account}/us-east-1/prod` },
  ])
  const hub = { account: '111111111111', region: null }
  const identityCenter = { discovery: 'identity-center', ...hub }
  const group = 'identity-center-group/a4b8c4d8-1111-2222-3333-444455556666'
  t.same(hintsOf(samples.createAccountAssignment), [identityCenter], 'it does not name the set')
  t.same(hintsOf(samples.addMemberToGroup), [{ ...identityCenter, resourceId: group }])
  const { addMemberToGroup } = samples
  t.same(hintsOf({ ...addMemberToGroup, requestParameters: { groupId: '../../x' } }), [identityCenter])
  t.same(hintsOf({ ...addMemberToGroup, eventName: 'DeleteUser', requestParameters: { userId: 'u' } }), [
    identityCenter,
  ])
  t.same(hintsOf(samples.moveAccount), [{ discovery: 'organization', ...hub, resourceId: 'account/333333333333' }])
  t.same(hintsOf(samples.createAccountResult), [
    { discovery: 'organization', ...hub, resourceId: 'account/444444444444' },
  ])
  t.end()
})

t.test('an event by EventBridge is the record in it', (t) => {
  t.same(readEvent(callEvent(samples.createRole)), readRecord(record(samples.createRole)))
  t.match(readEvent(callEvent(samples.createRole)), { id: /^c0ffee00/, at: Date.parse('2026-01-15T12:34:50Z') })
  const event = { ...callEvent(samples.createAccountResult), 'detail-type': 'AWS Service Event via CloudTrail' }
  t.match(readEvent(event)?.hints, [{ resourceId: 'account/444444444444' }])
  t.end()
})

t.test('of the states of instances and of tags', (t) => {
  const base = { id: '6f87d04b', account, region: 'eu-west-1', time: '2026-01-15T12:34:56Z', resources: [] }
  const state = {
    ...{ ...base, source: 'aws.ec2', 'detail-type': 'EC2 Instance State-change Notification' },
    detail: { 'instance-id': 'i-0123456789abcdef0', state: 'stopped' },
  }
  t.match(readEvent(state)?.hints, [{ resourceId: /i-0123456789abcdef0$/ }])
  const tag = { ...base, source: 'aws.tag', 'detail-type': 'Tag Change on Resource', detail: { service: 'ec2' } }
  const arn = `arn:aws:ec2:eu-west-1:${account}:instance/i-0123456789abcdef0`
  t.match(readEvent({ ...tag, resources: [arn] })?.hints, [{ resourceId: /i-0123456789abcdef0$/ }])
  t.equal(readEvent({ ...state, source: 'aws.other' }), null)
  t.same(
    [
      `arn:aws:iam::${account}:role/team/deep/App`,
      `arn:aws:rds:eu-west-1:${account}:db:pg1`,
      `arn:aws:rds:eu-west-1:${account}:cluster:orders`,
      `arn:aws:rds:eu-west-1:${account}:snapshot:old`,
      `arn:aws:eks:eu-west-1:${account}:cluster/prod`,
      `arn:aws:eks:eu-west-1:${account}:nodegroup/prod/n/1`,
      'arn:aws:organizations::111111111111:ou/o-exampleorgid/ou-ab12-11111111',
      'arn:aws:organizations::111111111111:account/o-exampleorgid/333333333333',
      'arn:aws:s3:::bucket',
      'nothing at all',
    ].map((one) => arnHints(one).map(({ discovery, resourceId }) => resourceId ?? discovery)[0]),
    [
      ...[`iam-role/${account}/App`, 'rds', 'rds', undefined, `eks-cluster/${account}/eu-west-1/prod`, undefined],
      ...['organizational-unit/ou-ab12-11111111', 'account/333333333333', undefined, undefined],
    ],
  )
  t.end()
})

t.test('calls that failed or read, and those of no interest, say nothing', (t) => {
  t.equal(readRecord(record({ ...samples.createRole, errorCode: 'AccessDenied' })), null)
  t.equal(readRecord(record({ ...samples.createRole, readOnly: true })), null)
  t.equal(readRecord(record({ ...samples.createRole, eventName: 'CreateUser' })), null)
  t.equal(readRecord(record({ ...samples.createCluster, eventSource: 'ecs.amazonaws.com' })), null)
  t.equal(readEvent({ ...callEvent(samples.createRole), 'detail-type': 'Scheduled Event' }), null)
  t.same(
    hintsOf({ ...samples.createTags, requestParameters: { resourcesSet: { items: [{ resourceId: 'vol-1' }] } } }),
    [],
  )
  t.end()
})

t.test('names that nothing in AWS has become readings of their place, never parts of an id', (t) => {
  for (const roleName of ['a/b', '', 'x'.repeat(65), 7, null, { toString: 1 }, '../App', 'App\n'])
    t.same(hintsOf({ ...samples.tagRole, requestParameters: { roleName } }), [
      { discovery: 'iam-role', account, region: null },
    ])
  t.match(hintsOf({ ...samples.createCluster, requestParameters: { name: 'a b' } }), [{ discovery: 'eks-cluster' }])
  const items = Array.from({ length: 21 }, (_, index) => ({ instanceId: `i-${String(index).padStart(17, '0')}` }))
  const many = { ...samples.terminateInstances, requestParameters: { items }, responseElements: null }
  t.same(hintsOf(many), [{ discovery: 'ec2-instance', account, region: 'eu-west-1' }])
  t.equal(hintsOf({ ...many, requestParameters: { items: items.slice(1) } })?.length, 20)
  t.end()
})

t.test('what has another form is no event', (t) => {
  for (const wrong of [
    { recipientAccountId: '22222222222' },
    { recipientAccountId: 222222222222 },
    { awsRegion: 'everywhere' },
    { eventID: '' },
    { eventID: 'x'.repeat(201) },
    { eventTime: 'yesterday' },
    { requestParameters: 'all' },
    { responseElements: [] },
  ])
    t.throws(() => readRecord(record({ ...samples.createRole, ...wrong })), EventProblem, JSON.stringify(wrong))
  t.throws(() => readEvent({ ...callEvent(samples.createRole), detail: null }), EventProblem)
  t.end()
})

t.test('a record that holds very much is read to a bound', (t) => {
  let deep: unknown = 'i-0123456789abcdef0'
  for (let depth = 0; depth < 5000; depth += 1) deep = [deep]
  t.same(hintsOf({ ...samples.terminateInstances, requestParameters: { deep }, responseElements: null }), [])
  t.end()
})

t.test('each name stands once in its group', (t) => {
  for (const { source, names } of eventGroups) t.equal(new Set(names).size, names.length, source)
  t.end()
})
