import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { AuditEvent, AuditQuery } from '../../../../src/audit/audit.ts'
import type { Denied, Place } from '../../../../src/aws/boundary.ts'
import type { Denial } from '../../../../src/aws/revocation-policy.ts'
import { createCredentialStore } from '../../../../src/kinds/iam-role/credential-store.ts'
import { Revoker } from '../../../../src/kinds/iam-role/revoker.ts'
import { createChanges } from '../../../../src/store/changes.ts'
import { openStore } from '../../../../src/store/store.ts'
import { createLogger } from '../../../../src/telemetry/logger.ts'
import { waitUntil } from '../../../wait-until.ts'

const start = 1_800_000_000_000
const [slow, other] = ['111122223333', '444455556666']

/** Two accounts, of which the first answers when `answer` is called, and each has a key of the grant named as it. */
async function startRevoker(
  t: Test,
  options: { restoredAt?: number; lead?: { isLeader: boolean }; missing?: string[] } = {},
) {
  const { lead = { isLeader: true }, missing = [] } = options
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  let now = start
  const clock = { now: () => now }
  const keyring = { mac: () => 'mac', checkMac: () => true }
  const store = createCredentialStore(db, keyring)
  const changes = createChanges()
  const events: AuditEvent[] = []
  const denied: { account: string; denials: readonly Denial[] }[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  promise.catch(() => {}) // refused before it is asked
  const deny = async ({ account }: Place, denials: readonly Denial[]): Promise<Denied> => {
    denied.push({ account, denials })
    if (account === slow) await promise
    const added = denials.filter(({ id }) => missing.includes(id))
    return {
      arn: 'arn',
      version: 'v2',
      isNew: true,
      added,
      nextEndsAt: now + (options.missing ? 3_600_000 : 1000),
    }
  }
  const target = (account: string) => ({
    kind: 'iam-role',
    target: { account, partition: 'aws', isRevocable: true },
  })
  const fork = { type: 'audit.forked', fields: { void_until: options.restoredAt ?? 0 } }
  const revoker = new Revoker({
    access: {
      check: async () => ({ allowed: true }),
      resourcesKnown: () => [target(slow), target(other)],
    } as never,
    audit: {
      appendRemoval: async (event: AuditEvent) => events.push(event) > 0,
      search: async ({ types }: AuditQuery) => ({ events: types?.includes('audit.forked') ? [fork] : [], next: null }),
    } as never,
    boundary: { deny },
    changes,
    clock,
    keyring,
    leader: {
      get isLeader() {
        return lead.isLeader
      },
      check: () => {},
      claim: () => sql`select 1`.compile(db),
    },
    logger: createLogger({ level: 'silent' }),
    store,
  })
  t.teardown(async () => {
    resolve()
    await revoker.idle()
  })
  const issue = async (account: string, key: string) =>
    await store.insert({
      access_key_id: key,
      session_id: `ses_${key}`,
      grant_id: `grt_${key}`,
      principal_id: 'prn_1',
      credential_id: 'lgn_1',
      resource_id: `iam-role/${account}/reader`,
      partition: 'aws',
      account,
      role_arn: `arn:aws:iam::${account}:role/reader`,
      session_name: 'alice',
      source_identity: null,
      issued_at: start,
      works_until: start + 3_600_000,
      revocable: 1,
      doomed_at: null,
      doomed_by: null,
      settled_at: null,
    })
  const revoke = (...keys: string[]) => {
    for (const key of keys)
      changes.publish({ what: 'grant', id: `grt_${key}`, reason: 'grant-revoked', text: 'no', decidedAt: start })
  }
  const of = (type: string) => events.filter((event) => event.type === type).map(({ fields }) => fields.session)
  const killed = (...keys: string[]) =>
    waitUntil(
      () => of('credentials.killed').join() === keys.map((key) => `ses_${key}`).join(),
      () => `killed: ${of('credentials.killed').join()}`,
    )
  const asked = (account: string) => denied.filter((one) => one.account === account)
  const advance = (ms: number) => (now += ms)
  return { revoker, store, denied, issue, revoke, killed, asked, of, advance, answer: resolve, refuse: reject }
}

t.test('an account that does not answer holds up no kill in another, now or later', async (t) => {
  const { revoker, issue, revoke, killed, asked, answer } = await startRevoker(t)
  for (const [account, key] of [
    [slow, 'A1'],
    [slow, 'A2'],
    [other, 'B1'],
    [other, 'B2'],
  ] as const)
    await issue(account, key)
  revoke('A1', 'B1')
  await killed('B1')
  revoke('A2', 'B2')
  await killed('B1', 'B2')
  await revoker.sweep()
  t.equal(asked(slow).length, 1, 'one write at a time for each account')
  answer()
  await killed('B1', 'B2', 'A1', 'A2')
  await revoker.idle()
  t.equal(asked(slow).length, 2, 'what came meanwhile is one further write')
})

t.test('an account that refuses is said once, retried by the sweep, and holds up no other', async (t) => {
  const { revoker, issue, revoke, killed, asked, of, refuse } = await startRevoker(t)
  await issue(slow, 'A1')
  await issue(other, 'B1')
  refuse(new Error('no'))
  revoke('A1', 'B1')
  await killed('B1')
  await revoker.idle()
  await revoker.sweep()
  await revoker.idle()
  t.equal(asked(slow).length, 2)
  t.same(of('credentials.kill-failed'), ['ses_A1'])
})

t.test('after a restore an account that does not answer holds up no other’s denial', async (t) => {
  const { revoker, issue, revoke, killed, asked } = await startRevoker(t, { restoredAt: start - 1000 })
  await revoker.recover()
  await waitUntil(() => asked(other).length === 1, 'the other account is written')
  t.match(asked(other), [{ denials: [{ by: 'issued' }] }])
  await issue(other, 'B1')
  revoke('B1')
  await killed('B1')
  t.equal(asked(other).length, 2, 'the denial of the restore is there already')
})

t.test('an account that does not answer holds up no cleaning of another', async (t) => {
  const { revoker, issue, revoke, killed, asked, advance } = await startRevoker(t)
  await issue(slow, 'A1')
  await issue(other, 'B1')
  revoke('A1', 'B1')
  await killed('B1')
  advance(2000)
  await revoker.sweep()
  await waitUntil(() => asked(other).length === 2, 'the other account is cleaned')
  t.match(asked(other).at(-1)?.denials, [{ id: 'grt_B1' }], 'what must stay is there')
})

t.test('entries that went missing are looked for each minute, written again, and told', async (t) => {
  const missing: string[] = []
  const { revoker, issue, revoke, killed, asked, advance } = await startRevoker(t, { missing })
  await issue(other, 'B1')
  await issue(other, 'B2')
  revoke('B1', 'B2')
  await killed('B1', 'B2')
  await revoker.sweep() // which looks at what was left by a previous run
  await revoker.idle()
  missing.push('grt_B1')
  const before = asked(other).length
  advance(59_000)
  await revoker.sweep()
  await revoker.idle()
  t.equal(asked(other).length, before)
  advance(1000)
  await revoker.sweep()
  await killed('B1', 'B2', 'B1')
  t.match(asked(other).at(-1)?.denials, [{ id: 'grt_B1' }, { id: 'grt_B2' }])
})

t.test('of several daemons each marks what was taken away, and the one that leads acts on it', async (t) => {
  const lead = { isLeader: false }
  const { issue, revoke, revoker, store, denied, of, killed } = await startRevoker(t, { lead })
  await issue(other, 'key')
  revoke('key')
  await waitUntil(async () => (await store.unsettled(start)).length === 1, 'it is marked')
  await revoker.idle()
  t.same([denied, of('credentials.killed')], [[], []])
  lead.isLeader = true
  await revoker.sweep()
  await killed('key')
  t.match(denied, [{ account: other, denials: [{ by: 'grant', id: 'grt_key' }] }, ...denied.slice(1)])
  t.same(of('credentials.killed'), ['ses_key'])
})
