import t from 'tap'
import { ec2Instance } from '../../../../src/kinds/ec2-instance/kind.ts'

const resource = {
  id: 'ec2-instance/111122223333/eu-west-1/i-0a1b2c3d4e5f60718',
  kind: 'ec2-instance',
  partition: 'aws',
  organization: null,
  account: '111122223333',
  region: 'eu-west-1',
  name: 'i-0a1b2c3d4e5f60718',
  tags: {},
  attributes: {},
  source: 'config',
} as const
const level = { document: 'Sallyport-Shell', document_digest: 'd'.repeat(64), os_user: 'deploy' }
const role = 'arn:aws:iam::111122223333:role/Shells'

t.test('an instance is known by its id', async (t) => {
  const read = ec2Instance.target.read({ ...resource, attributes: { platform: 'linux', role } })
  t.match(read, { ok: true, value: { instanceId: resource.name, role } })
  if (read.ok) t.equal(ec2Instance.targetId(read.value), resource.name)
  t.match(ec2Instance.target.read({ ...resource, name: 'i-0a1b2c3d' }), { ok: true, value: { role: null } })
})

t.test('names that are no id of an instance', async (t) => {
  for (const name of [
    'web-1',
    'i-',
    'i-0a1b2c3d4',
    'i-0A1B2C3D4E5F60718',
    'mi-0a1b2c3d4e5f60718',
    'i-0a1b2c3d4e5f60718x',
  ])
    t.match(ec2Instance.target.read({ ...resource, name }), { ok: false, problems: [{ path: 'id' }] }, name)
})

t.test('every problem of an entry is told', async (t) => {
  const attributes = { platform: 'windows', role: role.replace('1111', '2222') }
  const paths = ['id', 'platform', 'role'].map((path) => ({ path }))
  t.match(ec2Instance.target.read({ ...resource, name: 'web', attributes }), { ok: false, problems: paths })
  t.match(ec2Instance.target.read({ ...resource, attributes: { platform: 'macos', ssh: true } }), {
    ok: false,
    problems: [{ path: 'ssh' }, { path: 'platform' }],
  })
})

t.test('a level with its defaults, and with all that it may have', async (t) => {
  t.same(ec2Instance.level.read(level), {
    ok: true,
    value: {
      document: 'Sallyport-Shell',
      documentDigest: level.document_digest,
      commands: null,
      osUser: 'deploy',
      kmsKey: null,
      recordsInput: false,
      idleTimeoutMs: 0,
      isRecordingStrict: false,
      budget: null,
      forward: [],
      ssh: 'none',
      copy: [],
    },
  })
  const all = {
    record_input: true,
    idle_timeout: '15m',
    max_session_minutes: 60,
    max_session_bytes: '1MB',
    recording: 'strict',
  }
  const read = ec2Instance.level.read({ ...level, ...all })
  t.match(read, {
    ok: true,
    value: {
      recordsInput: true,
      idleTimeoutMs: 900_000,
      isRecordingStrict: true,
      budget: { rows: 0, bytes: 1_000_000, ms: 3_600_000 },
    },
  })
  if (read.ok) t.equal(ec2Instance.sessionMs?.(read.value), 3_600_000)
})

t.test('a key of KMS is named by its ARN, and is in the region of the instance', async (t) => {
  const kms_key = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd'
  const read = ec2Instance.level.read({ ...level, kms_key })
  t.match(read, { ok: true, value: { kmsKey: kms_key } })
  const target = ec2Instance.target.read(resource)
  if (!read.ok || !target.ok) throw new Error('not read')
  t.match(ec2Instance.fits?.(read.value, target.value), [
    { path: 'kms_key', message: /us-east-1.*eu-west-1/, fix: /\S/ },
  ])
  t.match(ec2Instance.policyValues?.(read.value), { sessionKeys: ['1234abcd'] })
  const here = ec2Instance.level.read({ ...level, kms_key: kms_key.replace('us-east-1', 'eu-west-1') })
  if (here.ok) t.same(ec2Instance.fits?.(here.value, target.value), [])
  for (const wrong of ['1234abcd', 'alias/x', kms_key.replace('key/', 'alias/')])
    t.match(ec2Instance.level.read({ ...level, kms_key: wrong }), { ok: false, problems: [{ path: 'kms_key' }] })
})

t.test('commands are run by a document of their own, with its digest', async (t) => {
  const commands = { command_document: 'Sallyport-Command', command_document_digest: 'e'.repeat(64) }
  const read = ec2Instance.level.read({ ...level, ...commands })
  t.match(read, {
    ok: true,
    value: { commands: { document: 'Sallyport-Command', documentDigest: 'e'.repeat(64) } },
  })
  if (read.ok)
    t.same(ec2Instance.policyValues?.(read.value), { sessionDocuments: ['Sallyport-Shell', 'Sallyport-Command'] })
  for (const [given, missing] of [
    ['command_document', 'command_document_digest'],
    ['command_document_digest', 'command_document'],
  ] as const)
    t.match(ec2Instance.level.read({ ...level, [given]: commands[given] }), {
      ok: false,
      problems: [{ path: missing }],
    })
})

t.test('documents of AWS, users that are none, and members of other kinds are refused', async (t) => {
  for (const [member, value] of [
    ['document', 'SSM-SessionManagerRunShell'],
    ['document', 'Sallyport-'],
    ['document', 'Sallyport-Shell*'],
    ['document_digest', 'D'.repeat(64)],
    ['document_digest', 'd'.repeat(63)],
    ['os_user', ''],
    ['os_user', 'de ploy'],
    ['os_user', '-x'],
    ['idle_timeout', '15'],
    ['db_user', 'x'],
    ['ssh', true],
  ] as const)
    t.match(
      ec2Instance.level.read({ ...level, [member]: value }),
      { ok: false, problems: [{ path: member, message: /\S/ }] },
      `${member}: ${value}`,
    )
  t.match(ec2Instance.level.read({}), {
    ok: false,
    problems: [{ path: 'document' }, { path: 'document_digest' }, { path: 'os_user' }],
  })
})

t.test('approvers are told as whom, what it reaches, what remains, and what is recorded', async (t) => {
  const target = ec2Instance.target.read(resource)
  const hub = { aws: { accounts: { '111122223333': { trust: 'hub' } } } } as const
  const web = { aws: { accounts: { '111122223333': { trust: 'web_identity' } } } } as const
  const read = ec2Instance.level.read(level)
  const typed = ec2Instance.level.read({ ...level, record_input: true })
  if (!target.ok || !read.ok || !typed.ok) return void t.fail('they are right')
  const sentences = ec2Instance.limits?.(target.value, read.value, hub) ?? []
  t.match(sentences.join(' '), /as deploy.*every host.*role of the instance.*remain.*without being shown/)
  for (const one of sentences) t.match(one, /^[A-Z].*\.$/)
  t.match(
    ec2Instance.limits?.(target.value, typed.value, hub)?.join(' '),
    /What is typed is recorded, passwords included/,
  )
  t.match(ec2Instance.limits?.(target.value, read.value, web)?.at(-1), /takes ID tokens.*maxSessionDuration/)
})
