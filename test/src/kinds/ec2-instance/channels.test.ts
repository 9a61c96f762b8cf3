import t from 'tap'
import type { DataKeyAsk } from '../../../../src/aws/data-keys.ts'
import type { ActiveSession, SessionStartAsk } from '../../../../src/aws/session-manager.ts'
import { ShellChannels } from '../../../../src/kinds/ec2-instance/channels.ts'
import type { InstanceLevel } from '../../../../src/kinds/ec2-instance/level.ts'
import { documentContent } from '../../../../src/kinds/ec2-instance/prepare.ts'
import { documentDigest } from '../../../sandbox/ssm/documents.ts'

const kmsKey = 'arn:aws:kms:eu-west-1:111122223333:key/1234'
const as = { osUser: 'deploy', kmsKey }
const digestOf = (use: 'shell' | 'command') => documentDigest(documentContent(use, as))
const level: InstanceLevel = {
  ...as,
  document: 'Sallyport-Shell',
  documentDigest: digestOf('shell'),
  commands: { document: 'Sallyport-Command', documentDigest: digestOf('command') },
  recordsInput: false,
  idleTimeoutMs: 0,
  isRecordingStrict: false,
  budget: null,
  forward: [],
  ssh: 'none',
  copy: [],
}
const target = { partition: 'aws', account: '111122223333', region: 'eu-west-1', instanceId: 'i-1', role: null }

function start(of: Partial<InstanceLevel> = {}) {
  const started: SessionStartAsk[] = []
  const asked: DataKeyAsk[] = []
  const credentials = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't', expiresAt: Number.MAX_SAFE_INTEGER }
  const policies: string[] = []
  const active: ActiveSession[] = []
  const terminated: string[] = []
  const clock = { at: 1_700_000_000_000, now: () => clock.at }
  const channels = new ShellChannels({
    aws: {
      session: async ({ policy }: { policy: string }) => {
        policies.push(policy)
        return credentials
      },
    },
    clock,
    config: { aws: { accounts: {}, connectRole: 'x' } },
    identity: {},
    logger: {},
    dataKeys: async (_credentials: unknown, ask: DataKeyAsk) => {
      asked.push(ask)
      return { plaintext: Buffer.alloc(64), ciphertext: Buffer.alloc(1) }
    },
    sessionManagers: () => ({
      active: async () => [...active],
      terminate: async (id: string) => {
        terminated.push(id)
        active.splice(
          active.findIndex(({ sessionId }) => sessionId === id),
          1,
        )
      },
      document: async (name: string) => {
        const use = name === 'Sallyport-Shell' ? 'shell' : 'command'
        return { content: JSON.stringify(documentContent(use, as)), digest: digestOf(use) }
      },
      start: async (ask: SessionStartAsk) => {
        started.push(ask)
        return { sessionId: 'sp-alice-1', streamUrl: 'wss://x.example/?a=1', token: 'token' }
      },
    }),
  } as never)
  const facts = { sessionId: 'ses_1', grantId: 'grt_1', requestId: 'req_1', principalName: 'alice', level: 'readonly' }
  const known = {
    facts: { ...facts, resourceId: 'ec2-instance/x', kind: 'ec2-instance', endsAt: clock.at + 3_600_000 },
    held: { resource: { id: 'x', kind: 'ec2-instance' }, target, level: { ...level, ...of } },
    credential: { kind: 'login', id: 'lgn_1' },
  } as never
  return { channels, known, started, asked, policies, active, terminated, clock }
}

t.test('a command is a parameter of its own document, which the credentials of the level may start', async (t) => {
  const { channels, known, started, policies } = start()
  await channels.ticket(known, 'cat /etc/hosts')
  t.match(started, [{ target: 'i-1', document: 'Sallyport-Command', parameters: { command: 'cat /etc/hosts' } }])
  t.match(policies[0], /document\/Sallyport-Shell".*document\/Sallyport-Command"/)
})

t.test('a level without commands starts none', async (t) => {
  const { channels, known, started } = start({ commands: null })
  await t.rejects(channels.ticket(known, 'id'), { code: 'GRANT_DENIED', message: /does not run single commands/ })
  t.same(started, [])
})

t.test('a data key is for the key of the level alone, in the context of this session', async (t) => {
  const { channels, known, asked, policies } = start()
  await t.rejects(channels.key(known, { keyId: kmsKey }), { code: 'INTERNAL' }, 'there is no session yet')
  await channels.ticket(known)
  for (const keyId of ['alias/x', `${kmsKey}5`, ''])
    await t.rejects(channels.key(known, { keyId }), { code: 'TARGET_UNTRUSTED', message: /another key of KMS/ })
  t.same(asked, [])
  await channels.key(known, { keyId: kmsKey, challenge: 'c2FsdA==' })
  const context = {
    'aws:ssm:SessionId': 'sp-alice-1',
    'aws:ssm:TargetId': 'i-1',
    'aws:ssm:RandomChallenge': 'c2FsdA==',
  }
  t.same(asked, [{ key: kmsKey, context }])
  t.match(policies[0], new RegExp(`kms:GenerateDataKey","Resource":"${kmsKey}"`))
})

t.test('of a lost daemon the command that removes a key ends by itself, or later', async (t) => {
  const { channels, known, active, terminated, clock } = start()
  const of = { target: 'i-1', startedAt: clock.at - 30_000, reason: 'sallyport ses_1' }
  active.push(
    { ...of, sessionId: 'shell', document: 'Sallyport-Shell' },
    { ...of, sessionId: 'key', document: 'Sallyport-Ssh-deploy' },
    { ...of, sessionId: 'tunnel', document: 'Sallyport-PortForward', reason: 'sallyport tunnels of a daemon' },
    { ...of, sessionId: 'other', document: 'Sallyport-Ssh-deploy', reason: 'sallyport ses_2' },
  )
  await channels.endLost(known, (reason) => reason.includes('tunnels'))
  t.same(terminated, ['shell', 'tunnel'])
  await channels.endLeft(() => false)
  t.same(terminated, ['shell', 'tunnel'], 'it is still about to remove the key')
  clock.at += 60_000
  await channels.endLeft(() => false)
  t.same(terminated, ['shell', 'tunnel', 'key'])
  await channels.endLeft(() => false)
  t.equal(terminated.length, 3)
})
