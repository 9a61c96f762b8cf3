import { performance } from 'node:perf_hooks'
import type { CompiledQuery } from 'kysely'
import { pino } from 'pino'
import type { Test } from 'tap'
import { Type } from 'typebox'
import { BrokerError } from '../../../proxy/session.ts'
import type { Access } from '../../../src/access/access.ts'
import { createAccess } from '../../../src/access/create-access.ts'
import type { AuditEvent, AuditListener, AuditLog, AuditRecord, AuditType, Beside } from '../../../src/audit/audit.ts'
import type { Kind, Kinds } from '../../../src/catalog/kind.ts'
import type { Resource } from '../../../src/catalog/resource.ts'
import type { Config } from '../../../src/config/config.ts'
import type { LevelFile, SelectorFile } from '../../../src/config/schema.ts'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import type { LoginName } from '../../../src/identity/identity.ts'
import type { Login, Principal } from '../../../src/identity/principal.ts'
import { type Change, createChanges } from '../../../src/store/changes.ts'
import type { Keyring } from '../../../src/store/keyring.ts'
import { type Db, openStore } from '../../../src/store/store.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { steadyClock } from '../../../src/telemetry/steady-clock.ts'
import { runBeside } from '../audit/run-beside.ts'
import { hour, minute, oidcConfig, ordersId, startedAt } from '../identity/identity-setup.ts'

export { hour, minute, ordersId, startedAt }

export function principal(id: string, more: Partial<Principal> = {}): Principal {
  return {
    id,
    kind: 'person',
    issuer: 'https://id.example.com',
    subject: `sub-${id}`,
    name: `${id}@example.com`,
    email: `${id}@example.com`,
    groups: [],
    manager: null,
    active: true,
    lockedAt: null,
    ownerId: null,
    madeBy: null,
    ...more,
  }
}

export function resource(id: string, more: Partial<Resource> = {}): Resource {
  const [kind = '', account = null, region = null] = id.split('/')
  return {
    id,
    kind,
    partition: 'aws',
    organization: null,
    account,
    region,
    name: id.slice(id.lastIndexOf('/') + 1),
    tags: {},
    attributes: {},
    source: 'config',
    ...more,
  }
}

/** A kind that accepts levels with a `user`, and resources with an `endpoint` that isn't `bad`. */
export const fakeKind: Kind<{ endpoint: unknown; database: string }, { user: string }> = {
  name: 'rds-postgres',
  id: 'regional',
  protocol: 'postgres',
  target: {
    schema: Type.Object({}),
    read: ({ attributes }) =>
      attributes.endpoint === 'bad'
        ? { ok: false, problems: [{ path: 'endpoint', message: 'expected a host name' }] }
        : { ok: true, value: { endpoint: attributes.endpoint, database: String(attributes.database ?? 'postgres') } },
  },
  targetId: ({ endpoint }) => String(endpoint),
  personal: {
    memberOf: ({ user }) => (user.includes('{login}') ? 'user' : null),
    read: ({ user: written }, loginName, all) => {
      const user = written.replace('{login}', loginName)
      const problem = (message: string) => ({ ok: false, problems: [{ path: 'user', message }] }) as const
      if (loginName === 'root') return problem('root is reserved')
      return all.some((other) => other.user === user) ? problem(`${user} is taken`) : { ok: true, value: { user } }
    },
  },
  shown: ({ database }) => ({ database }),
  limits: ({ database }, { user }) =>
    user === 'rw' ? [`In ${database} everyone is ${user}.`, 'A statement may outlast the access.'] : [],
  readsOnly: (_level, name) => name === 'readonly',
  means: ({ user }, { database }) => [
    { label: 'database user', value: user },
    { label: 'database', value: database },
  ],
  commands: (_level, _target, { name, options }) => [{ title: 'psql', words: ['sallyport', 'psql', name, ...options] }],
  sessionMs: ({ user }) => (user === 'ro' ? minute : null),
  level: {
    schema: Type.Object({}),
    read: (raw) => {
      const { user } = raw as { user?: unknown }
      return typeof user === 'string'
        ? { ok: true, value: { user } }
        : { ok: false, problems: [{ path: 'user', message: 'expected text' }] }
    },
  },
}

export const kinds: Kinds = [fakeKind]

export const ledgerId = 'rds-postgres/111122223333/eu-west-1/ledger'

/** One entry of `levels`. */
export function levels(what: SelectorFile, meanings: Record<string, unknown>): LevelFile {
  return { for: what, ...meanings }
}

type Rules = Pick<Config, 'access' | 'levels' | 'resources'>

/** alice (engineering) reads orders herself; writes with the approval of an owner, then of her manager. Ledger is for finance. */
export const exampleRules: Rules = {
  resources: [
    { id: ordersId, endpoint: 'orders.example', database: 'shop', tags: { env: 'prod' } },
    { id: ledgerId, endpoint: 'ledger.example', tags: { env: 'prod' } },
  ],
  levels: [levels({ kinds: ['rds-postgres'] }, { readonly: { user: 'ro' }, admin: { user: 'rw' } })],
  access: [
    {
      name: 'engineers-read',
      who: { groups: ['engineering'] },
      what: { ids: [ordersId] },
      levels: ['readonly'],
      max_duration: '8h',
      require: { reason: true },
    },
    {
      name: 'engineers-write',
      who: { groups: ['engineering'] },
      what: { ids: [ordersId] },
      levels: ['admin'],
      max_duration: '2h',
      require: { reason: true, ticket: '[A-Z]+-[0-9]+' },
      approval: { stages: [{ any_of: ['group:owners'] }, { any_of: ['manager'] }] },
    },
    {
      name: 'finance-reads',
      who: { groups: ['finance'] },
      what: { ids: [ledgerId] },
      levels: ['readonly'],
      max_duration: '1h',
    },
  ],
}

export const examplePeople: readonly Principal[] = [
  principal('alice', { groups: ['engineering'], manager: 'meg@example.com' }),
  principal('bob', { groups: ['owners'] }),
  principal('olga', { groups: ['owners'] }),
  principal('meg', { groups: ['owners'] }),
  principal('carol', { groups: ['security'] }),
  principal('dave', { groups: ['platform'] }),
  principal('eve'),
]

export function config(rules: Partial<Rules & Pick<Config, 'inventory'>> = {}): Config {
  return {
    file: '/dev/null',
    server: {
      listen: { host: '127.0.0.1', port: 0 },
      publicUrl: 'http://127.0.0.1',
      tls: null,
      trustedProxies: [],
      metricsListen: { host: '127.0.0.1', port: 0 },
      drainDelayMs: 0,
      peerUrl: null,
      proxyProtocol: [],
      workers: 0,
      drainMs: 0,
    },
    store: { url: 'sqlite::memory:', graceMs: 0 },
    keysDir: '',
    stateDir: '',
    oidc: { ...oidcConfig, loginClaim: 'login', tagClaims: ['team'] },
    aws: {
      hubRoleArn: null,
      connectRole: '',
      externalId: null,
      reachRole: 'sallyport-reach',
      revocationPolicy: '',
      regions: [],
      accounts: {},
      endpoints: {},
    },
    listeners: { postgres: [] },
    inventory: { organization: false, import: null, everyMs: 900_000 },
    recordings: { dir: '', maxPerSessionBytes: 0, maxPerPrincipalBytes: 0, reserveBytes: 0 },
    audit: { checkpointEveryMs: 0, checkpointEvents: 0, anchors: [] },
    limits: { sessions: 1, sessionsPerPrincipal: 1, sessionsPerResource: 1, sessionIdleMs: 0 },
    ...exampleRules,
    ...rules,
  }
}

export function createTestClock(at = startedAt) {
  let now = at
  return {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
}

/** An audit log in memory, which can be told to fail. What is committed beside its events is in the store. */
export function createTestAudit(
  now: () => number,
  { db, failing }: { db: Db; failing: { readonly failing: boolean } },
) {
  const records: AuditRecord[] = []
  const listeners = new Set<AuditListener>()
  const spool: AuditEvent[] = []
  const state = { failing: false }
  const add = (event: AuditEvent): AuditRecord => {
    const record = { ...event, seq: records.length + 1, at: now(), hash: '' }
    records.push(record)
    for (const listener of listeners) listener(record, 'here')
    return record
  }
  const write = async (beside: Beside = []) => {
    if (failing.failing) throw new BrokerError('AUDIT_UNAVAILABLE')
    await runBeside(db, beside)
  }
  const log: Pick<AuditLog, 'append' | 'appendRemoval' | 'spooled' | 'search'> = {
    append: async (event, beside) => {
      if (state.failing) throw new BrokerError('AUDIT_UNAVAILABLE')
      await write(beside)
      return add(event)
    },
    appendRemoval: async (event, beside) => {
      try {
        await write(beside)
        if (state.failing) spool.push(event)
        else add(event)
      } catch (error) {
        if ((error as BrokerError).code === 'STALE') return false
        spool.push(event)
      }
      return true
    },
    spooled: () => [...spool],
    search: async ({ types, since = 0, limit = 100, cursor }) => {
      const found = records.filter((r) => (!types || types.includes(r.type)) && r.at >= since).reverse()
      const from = Number(cursor ?? 0)
      const next = from + limit < found.length ? String(from + limit) : null
      return { events: found.slice(from, from + limit), next }
    },
  }
  return {
    ...log,
    subscribe: (listener: AuditListener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    records,
    spool,
    state,
    of: (type: AuditType) => [...records, ...spool].filter((record) => record.type === type),
  }
}

const testKeys: Pick<Keyring, 'mac' | 'checkMac'> = {
  mac: (purpose, text) => Buffer.from(`${purpose}:${text}`).toString('base64url'),
  checkMac: (purpose, text, mac) => mac === Buffer.from(`${purpose}:${text}`).toString('base64url'),
}

export interface SetupOptions {
  readonly rules?: Partial<Rules & Pick<Config, 'inventory'>>
  readonly kinds?: Kinds
  readonly people?: readonly Principal[]
  /** Moves by itself, for tests of timers. */
  readonly isRealTime?: boolean
}

/** Access on a store in memory, with a directory, an audit log and a clock that the test moves. */
export async function openAccess(t: Test, options: SetupOptions = {}) {
  const db = await openStore({ url: 'sqlite::memory:' })
  const clock = createTestClock()
  const began = performance.now()
  const now = options.isRealTime ? () => clock.now() + Math.floor(performance.now() - began) : clock.now
  const store = { failing: false }
  const audit = createTestAudit(now, { db, failing: store })
  const people = new Map((options.people ?? examplePeople).map((one) => [one.id, one]))
  /** Of the directory, by principal. */
  const loginNames = new Map<string, LoginName>()
  const tagClaims = new Map<string, Record<string, string>>()
  const changes = createChanges()
  const published: Change[] = []
  changes.subscribe((change) => published.push(change))
  const logged: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => logged.push(line) })
  const identity = {
    principal: async (id: string) => people.get(id),
    findPrincipal: async (reference: string) => {
      const found = [...people.values()].find((one) => [one.id, one.email, one.name].includes(reference))
      if (!found) throw new BrokerError('NOT_FOUND', `no principal ${reference}`)
      return found
    },
    tagClaims: async (id: string) => tagClaims.get(id) ?? {},
    loginName: async (id: string) => loginNames.get(id) ?? { problem: 'the provider sent none', hint: 'ask an admin' },
  }
  const wall = { aheadMs: 0, isWrong: false }
  const wallClock = { now: () => now() + wall.aheadMs }
  const metrics = createMetrics()
  const start = async (): Promise<Access> => {
    const access = await createAccess({
      db: failing(db, store),
      keyring: testKeys,
      audit,
      clock: wallClock,
      steadyClock: steadyClock(wallClock, now),
      requireClock: () => {
        if (wall.isWrong) throw new BrokerError('CLOCK_WRONG')
      },
      logger,
      metrics,
      changes,
      identity,
      kinds: options.kinds ?? kinds,
      config: config(),
      leader: soleLeader(db),
    })
    t.teardown(() => access.close())
    return access
  }
  const access = await start()
  const reloaded = await access.reload(config(options.rules))
  if (!reloaded.ok) throw new Error(JSON.stringify(reloaded.problems))
  t.teardown(() => db.destroy())
  return {
    access,
    db,
    clock,
    /** How far it is ahead of the time that passes, and whether the store says so. */
    wall,
    audit,
    changes,
    published,
    store,
    logged,
    metrics,
    identity,
    keyring: testKeys,
    people,
    loginNames,
    tagClaims,
    /** The same store and log, in a new daemon. */
    restart: async () => {
      access.close()
      const again = await start()
      await again.reload(config(options.rules))
      return again
    },
    /** Changes somebody in the directory, and says so. */
    change: async (id: string, more: Partial<Principal>) => {
      people.set(id, { ...(people.get(id) ?? principal(id)), ...more })
      changes.publish({ what: 'directory', id })
      await access.idle()
    },
    login: (id: string, more: Partial<Login> = {}) => loginOf(people.get(id) ?? principal(id), now(), more),
  }
}

export type AccessSetup = Awaited<ReturnType<typeof openAccess>>

export function loginOf(of: Principal, now: number, more: Partial<Login> = {}): Login {
  const roles = of.groups.includes('platform')
    ? (['user', 'auditor', 'admin'] as const)
    : of.groups.includes('security')
      ? (['user', 'auditor'] as const)
      : (['user'] as const)
  return {
    id: `lgn_${of.id}`,
    via: 'cli',
    principal: of,
    roles,
    interactive: true,
    authenticatedAt: now,
    acr: null,
    scopes: null,
    cidr: null,
    expiresAt: now + 24 * hour,
    ...more,
  }
}

/** Writes fail while the switch is on, as on a full disk; reads go on. */
function failing(db: Db, state: { readonly failing: boolean }): Db {
  const refuse = () => {
    throw new Error('database or disk is full')
  }
  const isWrite = (name: string, [query]: unknown[]) =>
    name === 'transaction' || (name === 'executeQuery' && !(query as CompiledQuery).sql.startsWith('select'))
  return new Proxy(db, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (state.failing && isWrite(String(property), args)) refuse()
        const result: unknown = value.apply(target, args)
        const isBuilder = property === 'insertInto' || property === 'updateTable'
        return isBuilder ? refusing(result as object, () => state.failing && refuse()) : result
      }
    },
  })
}

/** A query that can be compiled, but is not run. */
function refusing<Builder extends object>(builder: Builder, check: () => void): Builder {
  return new Proxy(builder, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (String(property).startsWith('execute')) check()
        const result: unknown = value.apply(target, args)
        return typeof result === 'object' && result !== null && 'compile' in result ? refusing(result, check) : result
      }
    },
  })
}

/** The sweep runs while each removal is on its way into the log. */
export function sweepMeanwhile({ access, audit, db }: AccessSetup): void {
  const { appendRemoval } = audit
  audit.appendRemoval = async (...removal) => {
    void access.sweep()
    // Not until its end, which may wait for what is being written: as long as it takes for what it tries again.
    for (let turns = 0; turns < 30; turns += 1) await db.selectFrom('grants').select('id').execute()
    return await appendRemoval(...removal)
  }
}
