import { test } from 'tap'
import { makePermit } from '../../../../proxy/permit.ts'
import type { EndNotice } from '../../../../proxy/session.ts'
import type { AuditEvent } from '../../../../src/audit/audit.ts'
import type { CredentialRow } from '../../../../src/kinds/iam-role/credential-store.ts'
import { type MintAsk, RoleSession, type RoleSessionEnd } from '../../../../src/kinds/iam-role/role-session.ts'
import type { WithoutMac } from '../../../../src/store/signed-rows.ts'
import { createLogger } from '../../../../src/telemetry/logger.ts'
import { recorderDouble } from '../../../proxy/relay/recorder-double.ts'

const hour = 3_600_000
const minute = 60_000

/** A session whose time stands still until it is moved; timers are the machine's and don't fire in a test this short. */
function start(options: { endsInMs?: number; sessionMs?: number | null; isRevocable?: boolean } = {}) {
  const clock = { at: 1_000 * hour, now: () => clock.at }
  const abort = new AbortController()
  const state = {
    asks: [] as MintAsk[],
    rows: [] as WithoutMac<CredentialRow>[],
    events: [] as AuditEvent[],
    entries: [] as { type: string }[],
    ends: [] as RoleSessionEnd[],
    fails: null as Error | null,
  }
  const permit = makePermit({
    sessionId: 'ses_1',
    principalId: 'prn_1',
    principalName: 'Jané Doe@example.com',
    grantId: 'grt_1',
    requestId: 'req_1',
    resourceId: 'iam-role/111122223333/R',
    kind: 'iam-role',
    level: 'full',
    endsAt: clock.at + (options.endsInMs ?? 8 * hour),
    signal: abort.signal,
    recording: { file: '', offset: 0, head: '', digestKey: Buffer.alloc(32) },
    engine: null,
    lease: null,
    limits: { idleTimeoutMs: 0 },
    recorder: recorderDouble((entry) => state.entries.push(JSON.parse(entry)) > 0),
  })
  const session = new RoleSession(
    {
      clock,
      logger: createLogger({ level: 'silent' }),
      audit: { append: async (event) => ({ ...event, seq: state.events.push(event), at: 0, hash: '' }) },
      store: { insert: async (row) => void state.rows.push(row) },
      longestMs: () => hour,
      mint: async (ask) => {
        if (state.fails) throw state.fails
        state.asks.push(ask)
        const lifeMs = Math.max(900_000, Math.min(ask.longestMs, ask.until - clock.at))
        const accessKeyId = `ASIA${state.asks.length}`
        const secrets = { secretAccessKey: 'secret', sessionToken: 'token' }
        return { accessKeyId, ...secrets, expiresAt: clock.at + lifeMs, sourceIdentity: 'jane' }
      },
    },
    {
      permit,
      target: {
        partition: 'aws',
        account: '111122223333',
        roleArn: 'arn:aws:iam::111122223333:role/R',
        maxSessionMs: hour,
        isRevocable: options.isRevocable ?? true,
        hasTransitiveTags: true,
        hasSourceIdentity: true,
        ...{ roleId: null, managedBy: null, lacking: [], lastUsed: null },
      },
      level: { sessionPolicy: null, policyArns: [], sessionTags: {}, sessionMs: options.sessionMs ?? null },
      credentialId: 'lgn_1',
    },
    (end) => state.ends.push(end),
  )
  const client = { address: '10.0.0.1', port: 1, via: 'api' as const }
  const get = () => session.handOut({ client, tool: 'test', as: 'credentials' })
  return { session, clock, state, abort, get }
}

test('many who ask get the same; renewed ahead by twenty minutes, without anybody waiting', async (t) => {
  const { get, clock, state } = start()
  const first = await Promise.all(Array.from({ length: 20 }, get))
  t.equal(state.asks.length, 1)
  t.equal(new Set(first.map(({ accessKeyId }) => accessKeyId)).size, 1)
  clock.at += 35 * minute
  await get()
  t.equal(state.asks.length, 1, '25 minutes are left')
  clock.at += 5.5 * minute
  t.equal((await get()).accessKeyId, 'ASIA1', 'in between the old ones are handed out')
  await new Promise((resolve) => setImmediate(resolve))
  t.equal((await get()).accessKeyId, 'ASIA2')
  t.equal(state.events.length, 2)
  t.same(
    state.entries.map(({ type }) => type).filter((type) => type === 'issued'),
    ['issued', 'issued'],
  )
})

test('what is written down of each, before anybody has it: never the secret', async (t) => {
  const { get, state, clock } = start()
  const held = await get()
  t.match(state.events[0], {
    type: 'credentials.issued',
    actor: 'prn_1',
    fields: { session: 'ses_1', grant: 'grt_1', access_key: 'ASIA1', works_until: held.expiresAt, revocable: true },
  })
  t.match(state.rows[0], {
    access_key_id: 'ASIA1',
    credential_id: 'lgn_1',
    works_until: clock.at + hour,
    doomed_at: null,
  })
  t.match(
    state.rows[0]?.session_name,
    /^Jan--Doe@example\.com-[0-9a-f]{8}$/,
    'a name that STS would not take is mapped',
  )
  t.equal(state.rows[0]?.source_identity, 'jane', 'what STS set, for CloudTrail to be joined by')
  t.match(state.entries, [
    { type: 'issued', access_key: 'ASIA1', session_policy: null },
    { type: 'handed-out', address: '10.0.0.1', tool: 'test' },
  ])
  t.notMatch(JSON.stringify(state), /"secret"|"token"/)
})

test('credentials never outlive the grant: cut short, and by policy where STS has a minimum', async (t) => {
  const { get, state, clock, session } = start({ endsInMs: 30 * minute })
  t.equal((await get()).expiresAt, clock.at + 30 * minute)
  t.equal(state.asks[0]?.policy, null)
  clock.at += 20 * minute
  t.equal((await get()).accessKeyId, 'ASIA1', 'new ones would last no longer')
  t.equal(state.asks.length, 1)
  session.runUntil(clock.at + 12 * minute)
  await get()
  await new Promise((resolve) => setImmediate(resolve))
  const renewed = await get()
  t.equal(renewed.accessKeyId, 'ASIA2', 'the grant was extended, by less than the fifteen minutes of STS')
  t.equal(renewed.expiresAt, clock.at + 12 * minute)
  t.match(state.asks[1]?.policy, /DateGreaterThanEquals/)
  t.equal(state.rows[1]?.works_until, clock.at + 12 * minute)
})

test('a level with short sessions is renewed in good time, not at every turn', async (t) => {
  const { get, state, clock } = start({ sessionMs: 900_000 })
  for (let minutes = 0; minutes < 60; minutes++) {
    await get()
    await new Promise((resolve) => setImmediate(resolve))
    clock.at += minute
  }
  t.ok(state.asks.length >= 4 && state.asks.length <= 7, `${state.asks.length} in an hour`)
})

test('cut: nothing is handed out from then on, also to those who were waiting', async (t) => {
  const { get, abort, state, session } = start()
  const notice: EndNotice = { reason: 'grant-revoked', text: 'access was revoked by bob: incident 42', decidedAt: 0 }
  const waiting = get()
  abort.abort(notice)
  await t.rejects(waiting, { code: 'GRANT_DENIED', message: /incident 42/ })
  await t.rejects(get(), { code: 'GRANT_DENIED', message: /incident 42/ })
  t.ok(session.isOver)
  t.match(state.ends, [{ reason: 'grant-revoked', stoppedAt: Number }])
  t.equal(state.ends.length, 1)
  t.notOk(state.entries.some(({ type }) => type === 'handed-out'))
})

test('a first time that fails ends it; a later one does not', async (t) => {
  const failed = start()
  failed.state.fails = new Error('denied')
  await t.rejects(failed.get(), /denied/)
  t.match(failed.state.ends, [{ reason: 'upstream-failed', error: { message: 'denied' } }])
  const running = start()
  await running.get()
  running.state.fails = new Error('throttled')
  running.clock.at += 50 * minute
  t.equal((await running.get()).accessKeyId, 'ASIA1', 'they work for ten minutes more')
  running.clock.at += 10 * minute
  await t.rejects(running.get(), /throttled/)
  t.same(running.state.ends, [])
  running.state.fails = null
  t.equal((await running.get()).accessKeyId, 'ASIA2')
})
