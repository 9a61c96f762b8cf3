import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import { BrokerError, type ClientOrigin } from '../../../proxy/session.ts'
import type { Access } from '../../../src/access/access.ts'
import type { Grant } from '../../../src/access/grants/grant.ts'
import type { AuditEvent, AuditRecord, AuditType } from '../../../src/audit/audit.ts'
import type { StepUp } from '../../../src/identity/admission.ts'
import { createIdentity } from '../../../src/identity/create-identity.ts'
import type { IdentityDeps } from '../../../src/identity/identity-deps.ts'
import type { LoginVia, Vouched } from '../../../src/identity/logins/logins.ts'
import { type Change, createChanges } from '../../../src/store/changes.ts'
import { openKeyring } from '../../../src/store/keyring.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { type Db, openStore } from '../../../src/store/store.ts'
import type { Logger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { runBeside } from '../audit/run-beside.ts'

export const startedAt = Date.UTC(2026, 0, 5, 9)
export const minute = 60_000
export const hour = 3_600_000
export const issuer = 'https://id.example.com'
export const ordersId = 'rds-postgres/111122223333/eu-west-1/orders'
export const ordersGrant = 'grt_00000000000000000000000001'

export function vouched(
  name: string,
  more: Partial<Vouched['claims']> & Partial<Omit<Vouched, 'claims'>> = {},
): Vouched {
  const { subject, authenticatedAt, acr, refreshToken, sid, issuer: from, ...claims } = more
  return {
    issuer: from ?? issuer,
    subject: subject ?? `sub-${name}`,
    claims: {
      email: `${name}@example.com`,
      emailVerified: true,
      name: null,
      username: name,
      loginName: null,
      groups: [],
      manager: null,
      ...claims,
    },
    authenticatedAt: authenticatedAt ?? startedAt,
    acr: acr ?? null,
    refreshToken: refreshToken ?? null,
    sid: sid ?? null,
  }
}

export const oidcConfig: IdentityDeps['config'] = {
  issuer,
  clientId: 'sallyport',
  clientSecret: null,
  scopes: [],
  groupsClaim: 'groups',
  groupsSource: 'any',
  freshPrompt: 'login consent',
  managerClaim: 'manager',
  loginClaim: null,
  tagClaims: [],
  adminGroups: ['platform'],
  auditorGroups: ['security'],
  sessionIdleMs: hour,
  sessionMaxMs: 8 * hour,
  probeEveryMs: 15 * minute,
}

export const groupsOf: Readonly<Record<string, readonly string[]>> = {
  alice: ['engineering'],
  carol: ['security'],
  dave: ['platform'],
}

export function from(address: string): ClientOrigin {
  return { address, port: 50_000, via: 'listener' }
}

/** An audit log in memory: what is told it keeps; `down` makes it refuse, and spool removals. What comes beside an event is stored. */
export function memoryAudit(now: () => number, db: Db) {
  const records: AuditRecord[] = []
  const spool: AuditEvent[] = []
  const state = { down: false, records, spool }
  type Log = IdentityDeps['audit']
  /** @param kept what this daemon appended is added to it @param catchUp what its feed does */
  const logOf = (kept: Set<AuditRecord>, catchUp: () => Promise<void>): Log => {
    const keep = (event: AuditEvent): AuditRecord => {
      const record = { ...event, seq: records.length + 1, at: now(), hash: '' }
      records.push(record)
      kept.add(record)
      return record
    }
    return {
      append: async (event, beside) => {
        if (state.down) throw new BrokerError('AUDIT_UNAVAILABLE')
        await runBeside(db, beside)
        return keep(event)
      },
      appendRemoval: async (event, beside) => {
        const isRefused = await runBeside(db, beside).then(
          () => false,
          () => true,
        )
        if (state.down) spool.push(event)
        else if (!isRefused) keep(event)
        return state.down || !isRefused
      },
      spooled: () => spool,
      search: async ({ types, since = 0 }) => ({
        events: records.filter((one) => (!types || types.includes(one.type)) && one.at >= since).reverse(),
        next: null,
      }),
      catchUp,
    }
  }
  return Object.assign(state, { logOf })
}

async function openShared(t: Test, place: StorePlace = { url: 'sqlite::memory:' }) {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-identity-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const db = await openStore(place)
  t.teardown(() => db.destroy())
  const time = { now: startedAt }
  return { db, keyring: openKeyring(join(dir, 'keys')), time, audit: memoryAudit(() => time.now, db) }
}

/** Identity on a real store; `restart` builds it anew on what is left. */
export async function startIdentity(
  t: Test,
  more: {
    prober?: IdentityDeps['prober']
    wrapDb?: (db: Db) => Db
    logger?: Logger
    place?: StorePlace
    /** `oidc.login_claim` */
    loginClaim?: string
    tagClaims?: readonly string[]
    /** A second daemon on the store and the log of this one. */
    beside?: Awaited<ReturnType<typeof openShared>>
  } = {},
) {
  const { db, keyring, time, audit } = more.beside ?? (await openShared(t, more.place))
  const clock = { now: () => time.now }
  const kept = new Set<AuditRecord>()
  let told = audit.records.length
  /** As the feed does: every event once, in order. */
  const catchUp = async () => {
    for (let next = audit.records[told]; next; next = audit.records[told]) {
      told++
      setup.identity.apply(next, kept.has(next) ? 'here' : 'elsewhere')
    }
    await setup.identity.idle()
  }
  const log = audit.logOf(kept, catchUp)
  const metrics = createMetrics()
  const changed: Change[] = []
  let publish = (_change: Change): void => {}
  const grants: FakeGrants = { maxMs: 12 * hour, grant: null, rule: {} }
  const build = async () => {
    const changes = createChanges()
    publish = changes.publish
    changes.subscribe((change) => changed.push(change))
    return await createIdentity({
      db: more.wrapDb?.(db) ?? db,
      keyring,
      audit: log,
      clock,
      logger: more.logger ?? pino({ level: 'silent' }),
      metrics,
      changes,
      config: { ...oidcConfig, loginClaim: more.loginClaim ?? null, tagClaims: more.tagClaims ?? [] },
      access: () => fakeAccess(grants),
      ...(more.prober ? { prober: more.prober } : {}),
    })
  }
  const setup = {
    identity: await build(),
    db,
    keyring,
    audit,
    metrics,
    changed,
    publish: (change: Change) => publish(change),
    grants,
    time,
    restart: async () => {
      told = audit.records.length
      setup.identity = await build()
    },
    catchUp,
    begin: (name: string, via: LoginVia = 'cli', claims: Parameters<typeof vouched>[1] = {}) =>
      setup.identity.logins.begin(vouched(name, { groups: groupsOf[name] ?? [], ...claims }), via, {
        address: '192.0.2.7',
      }),
    events: (type: AuditType) => audit.records.filter((record) => record.type === type),
    /** A live grant of this principal on orders, for eight hours. */
    grantTo: (principalId: string) => {
      grants.grant = {
        id: ordersGrant,
        requestId: 'req_00000000000000000000000001',
        principalId,
        resourceId: ordersId,
        kind: 'rds-postgres',
        level: 'readonly',
        startsAt: time.now,
        endsAt: time.now + 8 * hour,
        ruleName: 'engineers-read',
        ruleDigest: 'd',
        state: 'active',
        endedAt: null,
        endReason: null,
      }
    },
  }
  return setup
}

export type IdentitySetup = Awaited<ReturnType<typeof startIdentity>>

interface FakeGrants {
  maxMs: number
  grant: Grant | null
  /** Its step-up; none unless a test says so. */
  rule: Partial<StepUp>
}

function fakeAccess(grants: FakeGrants): Pick<Access, 'check'> {
  return {
    check: async (ask) => {
      const { grant } = grants
      const fits =
        grant?.principalId === ask.principalId &&
        (ask.resource === grant.resourceId || ask.resource === 'orders') &&
        (ask.level ?? grant.level) === grant.level &&
        (ask.grantId ?? grant.id) === grant.id
      if (!fits) return { allowed: false, code: 'GRANT_DENIED', reason: 'no grant', hint: 'ask for one' }
      const resource = {
        id: grant.resourceId,
        kind: grant.kind,
        partition: 'aws',
        organization: null,
        account: '111122223333',
        region: 'eu-west-1',
        name: 'orders',
        tags: {},
        attributes: {},
        source: 'config' as const,
      }
      const rule = {
        name: grant.ruleName,
        loginWithinMs: null,
        acr: [],
        ...grants.rule,
        connectTokenMaxMs: grants.maxMs,
      }
      return { allowed: true, grant, held: { resource, target: {}, level: {} }, rule }
    },
  }
}
