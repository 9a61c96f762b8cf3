import { test } from 'tap'
import { makePermit } from '../../../../proxy/permit.ts'
import type { EndNotice, SessionOutcome, SessionPermit } from '../../../../proxy/session.ts'
import { iamRole } from '../../../../src/kinds/iam-role/kind.ts'
import { RoleSessions } from '../../../../src/kinds/iam-role/role-sessions.ts'
import type { RoleTarget } from '../../../../src/kinds/iam-role/target.ts'
import type { Allowed } from '../../../../src/sessions/open-session.ts'
import { createLogger } from '../../../../src/telemetry/logger.ts'
import { recorderDouble } from '../../../proxy/relay/recorder-double.ts'

const hour = 3_600_000
const id = 'iam-role/111122223333/Reader'
const resource = {
  id,
  kind: 'iam-role',
  partition: 'aws',
  organization: null,
  account: '111122223333',
  region: null,
  name: 'Reader',
  tags: {},
  attributes: {},
  source: 'config' as const,
}
const target: RoleTarget = {
  partition: 'aws',
  account: '111122223333',
  roleArn: 'arn:aws:iam::111122223333:role/Reader',
  maxSessionMs: hour,
  isRevocable: true,
  hasTransitiveTags: true,
  hasSourceIdentity: true,
  ...{ roleId: null, managedBy: null, lacking: [], lastUsed: null },
}
const ask = {
  identity: { principalId: 'prn_1', name: 'alice', credential: { kind: 'login' as const, id: 'lgn_1' } },
  resource: 'Reader',
  client: { address: '10.0.0.1', port: 1, via: 'api' as const },
}

function start() {
  const now = 1_000 * hour
  const state = {
    target,
    permits: [] as { sessionId: string; abort: AbortController }[],
    ends: [] as { sessionId: string; outcome: SessionOutcome }[],
    minted: [] as RoleTarget[],
    started: async () => {},
    isOpen: () => true,
    known: () => {},
  }
  const held = () => ({
    resource,
    target: state.target,
    level: { sessionPolicy: null, policyArns: [], sessionMs: null },
  })
  const facts = { principalId: 'prn_1', principalName: 'alice', grantId: 'grt_1', requestId: 'req_1' }
  const more = { resourceId: id, kind: 'iam-role', level: 'full', endsAt: now + hour, limits: { idleTimeoutMs: 0 } }
  const rest = { recording: { file: '', offset: 0, head: '', digestKey: Buffer.alloc(32) }, engine: null, lease: null }
  const recorder = recorderDouble()
  const open = async (): Promise<SessionPermit> => {
    const abort = new AbortController()
    const sessionId = `ses_${state.permits.push({ sessionId: `ses_${state.permits.length + 1}`, abort })}`
    return makePermit({ sessionId, ...facts, ...more, ...rest, signal: abort.signal, recorder })
  }
  const grant = { id: 'grt_1', level: 'full', endsAt: now + hour }
  const roles = new RoleSessions({
    sessions: {
      check: async () => ({ allowed: true, grant, held: held() }) as unknown as Allowed,
      open,
      started: () => state.started(),
      end: async ({ sessionId }, outcome) => void state.ends.push({ sessionId, outcome }),
      onMoved: () => {},
      isOpen: () => true,
      known: (sessionId) => {
        state.known()
        const credential = { kind: 'login', id: 'lgn_1' } as const
        return { facts: { sessionId, ...facts, ...more, ...rest }, held: held(), credential }
      },
    },
    kind: iamRole,
    clock: { now: () => now },
    logger: createLogger({ level: 'silent' }),
    audit: { append: async (event) => ({ ...event, seq: 1, at: now, hash: '' }) },
    store: { insert: async () => {} },
    longestMs: () => hour,
    mint: async (wanted) => {
      const accessKeyId = `ASIA${state.minted.push(wanted.target)}`
      return { accessKeyId, secretAccessKey: 's', sessionToken: 't', expiresAt: now + hour, sourceIdentity: 'alice' }
    },
  })
  return { roles, state, now }
}

const failures = {
  'the store cannot note that it started': (state: ReturnType<typeof start>['state'], fail: () => never) => {
    state.started = async () => fail()
  },
  'it has ended before it starts': (state: ReturnType<typeof start>['state'], fail: () => never) => {
    state.known = fail
  },
}
for (const [name, break_] of Object.entries(failures)) {
  test(`a session whose opening fails half way is ended, once: ${name}`, async (t) => {
    const { roles, state } = start()
    break_(state, () => {
      throw new Error('the store is down')
    })
    await t.rejects(Promise.all([roles.handOut(ask), roles.handOut(ask)]), { message: 'the store is down' })
    t.match(state.ends, [{ sessionId: 'ses_1', outcome: { reason: 'open-failed', error: /the store is down/ } }])
    t.equal(roles.openCount, 0)
    state.permits[0]?.abort.abort({ reason: 'grant-revoked', text: 'revoked', decidedAt: 0 } satisfies EndNotice)
    t.equal(state.ends.length, 1)
    state.started = async () => {}
    state.known = () => {}
    t.equal((await roles.handOut(ask)).permit.sessionId, 'ses_2', 'the next one is not kept from opening')
  })
}

test('a role that is assumed in another way since the configuration was reloaded gets a session of its own', async (t) => {
  const { roles, state } = start()
  const [one, same] = await Promise.all([roles.handOut(ask), roles.handOut(ask)])
  t.equal(one.permit.sessionId, same.permit.sessionId)
  state.target = { ...target, isRevocable: false }
  const other = await roles.handOut(ask)
  t.equal(other.permit.sessionId, 'ses_2')
  t.same(
    state.minted.map(({ isRevocable }) => isRevocable),
    [true, false],
  )
})
