import t from 'tap'
import type { InstanceSeen } from '../../../../src/aws/estate/instances.ts'
import { instanceResource } from '../../../../src/kinds/ec2-instance/discovery.ts'
import { ec2Instance } from '../../../../src/kinds/ec2-instance/kind.ts'

const place = { partition: 'aws', account: '111122223333', region: 'eu-west-1' } as const
const seen: InstanceSeen = {
  id: 'i-0a1b2c3d4e5f60718',
  title: 'web',
  state: 'running',
  platform: 'linux',
  launchedAt: 1_772_000_000_000,
  vpc: 'vpc-1',
  privateAddress: '10.0.0.10',
  profile: null,
  imds: 'required',
  agent: { isOnline: true, version: '3.3.987.0' },
  tags: { Name: 'web', 'sallyport:managed': 'true' },
}

t.test('an instance of AWS in the catalog', (t) => {
  const resource = instanceResource(place, seen)
  t.match(resource, {
    id: `ec2-instance/111122223333/eu-west-1/${seen.id}`,
    name: seen.id,
    source: 'discovery',
    tags: seen.tags,
    risk: undefined,
  })
  const read = ec2Instance.target.read(resource)
  t.match(read, { ok: true, value: { instanceId: seen.id, role: null } })
  if (read.ok) {
    t.equal(ec2Instance.targetId(read.value), seen.id, 'the name that people gave it is not what it is')
    t.same(ec2Instance.shown?.(read.value), { title: 'web', state: 'running', agent: 'online 3.3.987.0' })
  }
  t.end()
})

t.test('what changes by itself is not in it', (t) => {
  const later = { ...seen, launchedAt: seen.launchedAt + 1 }
  t.same(instanceResource(place, later), instanceResource(place, seen))
  t.end()
})

t.test('states of the agent', (t) => {
  const shown = (more: Partial<InstanceSeen>) => {
    const read = ec2Instance.target.read(instanceResource(place, { ...seen, ...more }))
    return read.ok ? ec2Instance.shown?.(read.value) : read.problems
  }
  t.match(shown({ agent: { isOnline: false, version: '3.1.0.0' } }), { agent: 'lost 3.1.0.0' })
  t.match(shown({ agent: null, state: 'stopped' }), { agent: 'none', state: 'stopped' })
  t.match(shown({ title: null }), { state: 'running', title: undefined })
  t.end()
})

t.test('what is written by hand is read beside what was found', (t) => {
  const resource = instanceResource(place, seen)
  const role = 'arn:aws:iam::111122223333:role/Shells'
  const read = ec2Instance.target.read({ ...resource, attributes: { ...resource.attributes, role }, source: 'config' })
  t.match(read, { ok: true, value: { role, facts: { state: 'running' } } })
  t.end()
})

t.test('Windows is there to be seen, and its limits say that nothing opens', (t) => {
  const level = { osUser: 'deploy', recordsInput: false, commands: null, forward: [], ssh: 'none', copy: [] } as const
  const read = ec2Instance.target.read(instanceResource(place, { ...seen, platform: 'windows' }))
  const limits = read.ok ? ec2Instance.limits?.(read.value, level as never, { aws: { accounts: {} } }) : []
  const [first] = limits ?? []
  t.match(first, /sessions on windows are not supported yet/i)
  t.end()
})

t.test('IMDSv1 is a risk, and a greater one with an instance profile', (t) => {
  const riskOf = (more: Partial<InstanceSeen>) => instanceResource(place, { ...seen, ...more }).risk
  t.match(riskOf({ imds: 'optional' }), [{ code: 'imds-v1', severity: 'low' }])
  t.match(riskOf({ imds: 'optional', profile: 'arn:aws:iam::111122223333:instance-profile/web' }), [
    { code: 'imds-v1', severity: 'medium', reason: /instance-profile\/web/, fix: /--http-tokens required/ },
  ])
  t.equal(riskOf({ imds: 'off' }), undefined)
  t.end()
})

t.test('an instance profile that may do everything is a risk', (t) => {
  const role = 'arn:aws:iam::111122223333:role/admin'
  const profile = 'arn:aws:iam::111122223333:instance-profile/admin'
  const powers = { role, admin: ['AdministratorAccess'], escalation: [], isBounded: false }
  const riskOf = (more: Partial<typeof powers>) =>
    instanceResource(place, { ...seen, profile }, { ...powers, ...more }).risk
  t.match(riskOf({}), [
    { code: 'admin-profile', severity: 'high', reason: /role\/admin, which may do everything: Adm/ },
  ])
  t.match(riskOf({ isBounded: true }), [{ severity: 'medium', reason: /boundary/ }])
  t.match(riskOf({ admin: [], escalation: ['p: iam:PutRolePolicy'] as never }), [{ code: 'escalating-profile' }])
  t.end()
})
