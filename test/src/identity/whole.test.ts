import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Access } from '../../../src/access/access.ts'
import { createAccess } from '../../../src/access/create-access.ts'
import { createAuditLog } from '../../../src/audit/create-audit.ts'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { createIdentity } from '../../../src/identity/create-identity.ts'
import { createChanges } from '../../../src/store/changes.ts'
import { openKeyring } from '../../../src/store/keyring.ts'
import { openStore } from '../../../src/store/store.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { steadyClock } from '../../../src/telemetry/steady-clock.ts'
import { config, kinds } from '../access/access-setup.ts'
import { markIn } from '../audit/mark-in.ts'
import { from, hour, issuer, ordersId, startedAt, vouched } from './identity-setup.ts'

const address = '192.0.2.7'

/** Identity with the real audit log, access and store, in a folder that a second start finds again. */
async function start(dir: string) {
  const db = await openStore({ url: `sqlite:${join(dir, 'store.db')}` })
  const keyring = openKeyring(join(dir, 'keys'))
  const time = { now: startedAt }
  const clock = { now: () => time.now }
  const logger = pino({ level: 'silent' })
  const metrics = createMetrics()
  const changes = createChanges()
  const mark = await markIn(dir, { keyring, clock })
  const audit = await createAuditLog({
    db,
    mark,
    fork: undefined,
    installation: 'ins_test',
    keyring,
    clock,
    logger,
    metrics,
    config: { checkpointEveryMs: 300_000, checkpointEvents: 1000, anchors: [] },
    spoolPath: join(dir, 'audit.spool'),
    heads: () => [],
  })
  let access: Access | undefined
  const oidc = { ...config().oidc, issuer, adminGroups: ['platform'], sessionIdleMs: hour, sessionMaxMs: 8 * hour }
  const deps = { db, keyring, audit, clock, logger, metrics, changes }
  const identity = await createIdentity({
    ...deps,
    config: oidc,
    access: () => {
      if (!access) throw new Error('access is not there yet')
      return access
    },
  })
  access = await createAccess({
    ...deps,
    identity,
    kinds,
    config: config(),
    leader: soleLeader(deps.db),
    steadyClock: steadyClock(clock, () => time.now),
    requireClock: () => {},
  })
  await access.reload(config())
  await audit.start()
  const close = async () => {
    access?.close()
    await audit.stop()
    await mark.close()
    await db.destroy()
  }
  return { identity, access, time, close, audit }
}

async function startIn(t: Test, dir: string) {
  const setup = await start(dir)
  let isClosed = false
  const close = async () => {
    if (!isClosed) await setup.close()
    isClosed = true
  }
  t.teardown(close)
  return { ...setup, close }
}

t.test('sign-in, grant, connect token, loss of the group: the grant ends and the token is worth nothing', async (t) => {
  const { identity, access } = await startIn(t, t.testdir())
  const alice = vouched('alice', { groups: ['engineering'] })
  const { login } = await identity.logins.begin(alice, 'cli', { address })
  const ask = { resource: ordersId, level: 'readonly', durationMs: hour, reason: 'test' }
  const { grant } = await access.request(login, ask)
  t.ok(grant)
  const { token } = await identity.connectTokens.issue(login, { resource: 'orders' })
  const { bound } = await identity.identify({ by: 'token', token }, from(address))
  t.match(bound, { grantId: grant?.id, level: 'readonly' })
  await identity.logins.begin(vouched('alice', { groups: [] }), 'web', { address })
  await access.idle()
  t.equal((await access.grant(grant?.id ?? ''))?.state, 'revoked')
  await t.rejects(identity.connectTokens.issue(login, { resource: 'orders' }), { code: 'RESOURCE_UNKNOWN' })
})

t.test('a lock and a logout are known after a restart from the chain alone', async (t) => {
  const dir = t.testdir()
  const first = await startIn(t, dir)
  const dave = await first.identity.logins.begin(vouched('dave', { groups: ['platform'] }), 'cli', { address })
  const alice = await first.identity.logins.begin(vouched('alice'), 'cli', { address })
  await first.identity.lock(dave.login, alice.login.principal.id, 'incident 42')
  await first.identity.logins.end(dave.login.id, 'logout')
  await first.close()
  const second = await startIn(t, dir)
  t.equal((await second.identity.principal(alice.login.principal.id))?.lockedAt, startedAt)
  await t.rejects(second.identity.logins.begin(vouched('alice'), 'web', { address }), { code: 'PRINCIPAL_LOCKED' })
  t.equal(await second.identity.authenticate({ bearer: dave.secret, address }), null)
  t.equal((await second.audit.verify()).ok, true)
})
