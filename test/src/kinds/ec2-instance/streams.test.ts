/** Where levels let streams lead, what is refused in a configuration, and what approvers are told. */
import t from 'tap'
import { ec2Instance } from '../../../../src/kinds/ec2-instance/kind.ts'
import type { InstanceLevel } from '../../../../src/kinds/ec2-instance/level.ts'
import { streamFacts } from '../../../../src/kinds/ec2-instance/streams.ts'

const target = { partition: 'aws', account: '111122223333', region: 'eu-west-1', instanceId: 'i-1', role: null }
const members = { document: 'Sallyport-Shell', document_digest: 'd'.repeat(64), os_user: 'deploy' }
const key = `AAAAC3NzaC1lZDI1NTE5AAAAI${'x'.repeat(43)}`
const around = { aws: { accounts: {} } }

function levelOf(more: object): InstanceLevel {
  const read = ec2Instance.level.read({ ...members, ...more })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.value
}

t.test('hosts and ports of a level, in their usual form', async (t) => {
  const forward = [
    'localhost:8080',
    'Web.Internal.:443',
    '10.0.3.7:5432',
    '[FD00:0::1]:443',
    '[::ffff:10.0.0.1]:1',
    'a:65535',
  ]
  t.same(
    levelOf({ forward }).forward.map(({ host, port }) => [host, port]),
    [
      ['localhost', 8080],
      ['web.internal', 443],
      ['10.0.3.7', 5432],
      ['fd00::1', 443],
      ['10.0.0.1', 1],
      ['a', 65_535],
    ],
  )
})

t.test('what a level may not name', async (t) => {
  const problem = (text: string) => {
    const read = ec2Instance.level.read({ ...members, forward: ['localhost:80', text] })
    return read.ok ? undefined : read.problems[0]
  }
  for (const text of [
    'web',
    'web:',
    ':80',
    'web:0',
    'web:65536',
    'web:8o',
    '::1:80',
    '[web]:80',
    '[::1]80',
    'a b:80',
    'a..b:80',
  ])
    t.match(problem(text), { path: 'forward[1]', message: /^expected/ }, text)
  for (const text of ['169.254.43518:80', '0xa9fea9fe:80', '2852039166:80', 'a.1:80'])
    t.match(
      problem(text),
      { path: 'forward[1]', message: /^expected the name/ },
      `${text}: resolvers may take it for an address`,
    )
  for (const host of [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '[fd00:ec2::23]',
    'instance-data',
    'Instance-Data.ec2.internal',
  ])
    t.match(problem(`${host}:80`), { path: 'forward[1]', message: /never reached/ }, host)
  t.match(ec2Instance.level.read({ ...members, forward: [] }), { ok: false, problems: [{ path: 'forward' }] })
  t.match(ec2Instance.level.read({ ...members, ssh: 'some' }), { ok: false, problems: [{ path: 'ssh' }] })
})

t.test('a stream leads where its level says, through its instance, for one grant', async (t) => {
  const level = levelOf({ forward: ['web.internal:443', '[fd00::1]:443'], idle_timeout: '5m', recording: 'strict' })
  for (const host of ['web.internal', 'WEB.internal.'])
    t.match(streamFacts(target, level, { host, port: 443 }), {
      address: { host: 'web.internal', port: 443 },
      isRecordingStrict: true,
      via: { key: null, instances: ['i-1'], document: 'Sallyport-PortForward', role: null },
      rules: { idleTimeoutMs: 300_000, detail: { forward: 'web.internal:443' } },
    })
  t.match(streamFacts(target, level, { host: 'fd00:0:0::1', port: 443 }), {
    address: { host: 'fd00::1' },
    rules: { detail: { forward: '[fd00::1]:443' } },
  })
  for (const [host, port] of [
    ['web.internal', 80],
    ['other.internal', 443],
    ['web.internal.evil.example', 443],
    ['web.internal:443@evil', 443],
    ['', 443],
  ] as const)
    t.throws(
      () => streamFacts(target, level, { host, port }),
      { code: 'GRANT_DENIED', hint: /web\.internal:443/ },
      host,
    )
  t.throws(() => streamFacts(target, level, { host: '169.254.169.254', port: 80 }), { message: /never reached/ })
  t.throws(() => streamFacts(target, level, { sshKey: key }), { code: 'GRANT_DENIED', message: /no SSH/ })
  const none = levelOf({})
  t.throws(() => streamFacts(target, none, { host: 'localhost', port: 80 }), { message: /forwards no ports/ })
})

t.test('SSH leads to port 22 of the instance, for the key that was given', async (t) => {
  for (const ssh of ['restricted', 'full'] as const)
    t.match(streamFacts(target, levelOf({ ssh }), { sshKey: key }), {
      address: { host: 'localhost', port: 22 },
      rules: { ssh: { mode: ssh, user: 'deploy', key }, detail: { ssh, os_user: 'deploy' } },
    })
  t.throws(() => streamFacts(target, levelOf({ ssh: 'full' }), { host: 'localhost', port: 22 }), {
    code: 'GRANT_DENIED',
  })
})

t.test(
  'files are copied the ways that a level names, by a document of its own, and nothing else is allowed by that',
  async (t) => {
    const level = levelOf({ copy: ['down'], idle_timeout: '5m' })
    t.match(streamFacts(target, level, { copy: 'down' }), {
      address: { host: 'i-1', port: 0 },
      rules: { copy: 'down', isEncrypted: false, detail: { copy: 'down', document: 'Sallyport-Copy-deploy' } },
    })
    t.throws(() => streamFacts(target, level, { copy: 'up' }), {
      code: 'GRANT_DENIED',
      message: /no files to the instance/,
    })
    t.throws(() => streamFacts(target, levelOf({ ssh: 'full' }), { copy: 'down' }), { message: /copies no files$/ })
    t.throws(() => streamFacts(target, level, { sshKey: key }), { code: 'GRANT_DENIED' })
    for (const copy of [['sideways'], ['up', 'up'], 'up'])
      t.match(ec2Instance.level.read({ ...members, copy }), { ok: false, problems: [{ path: /^copy/ }] })
    t.same(ec2Instance.policyValues?.(level), { sessionDocuments: ['Sallyport-Shell', 'Sallyport-Copy-deploy'] })
    const kms_key = 'arn:aws:kms:eu-west-1:111122223333:key/1'
    const sealed = levelOf({ copy: ['up', 'down'], kms_key })
    t.match(streamFacts(target, sealed, { copy: 'up' }), { rules: { isEncrypted: true } })
    const steps =
      ec2Instance.prepare?.(
        target,
        new Map([
          ['fetch', level],
          ['sealed', sealed],
        ]),
        { aws: { accounts: {} } },
      ) ?? []
    const copying = steps.filter(({ what }) => what.includes('Sallyport-Copy-deploy'))
    t.match(copying, [
      { levels: ['fetch'] },
      { levels: ['sealed'], what: /Sallyport-Copy-deploy-[0-9a-f]{8}/, text: new RegExp(kms_key) },
    ])
    const told = ec2Instance.limits?.(target, sealed, around)?.join(' ') ?? ''
    t.match(told, /Copies files from the instance, any that deploy may read; to it, wherever deploy may write/)
  },
)

t.test('what approvers are told, and what AWS must allow', async (t) => {
  const plain = ec2Instance.limits?.(target, levelOf({}), around) ?? []
  t.notMatch(plain.join(' '), /SSH|Forwards/)
  const restricted = ec2Instance.limits?.(target, levelOf({ ssh: 'restricted' }), around)?.join(' ')
  t.match(restricted, /Signs in by SSH as deploy.*forwards neither ports nor agents.*nothing of what was typed/)
  const full = ec2Instance.limits?.(
    target,
    levelOf({ ssh: 'full', forward: ['localhost:80', 'db.internal:5432'] }),
    around,
  )
  t.match(full?.join(' '), /forwards ports and agents too.*every host.*to localhost:80, db\.internal:5432.*DNS decides/)
  t.same(ec2Instance.policyValues?.(levelOf({})), { sessionDocuments: ['Sallyport-Shell'] })
  t.same(ec2Instance.policyValues?.(levelOf({ ssh: 'full' })), {
    sessionDocuments: ['Sallyport-Shell', 'Sallyport-Ssh-deploy', 'Sallyport-PortForward'],
  })
  const levels = new Map([['ops', levelOf({ ssh: 'restricted' })]])
  const steps = ec2Instance.prepare?.(target, levels, { aws: { accounts: {} } }) ?? []
  t.match(
    steps.find(({ what }) => what.includes('Sallyport-Ssh-deploy')),
    { levels: ['ops'], language: 'sh' },
  )
})
