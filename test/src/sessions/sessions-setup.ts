import type { Test } from 'tap'
import type { OpenAsk } from '../../../proxy/doorman.ts'
import { SessionHost } from '../../../proxy/relay/session-host.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { AccessAnswer } from '../../../src/access/access.ts'
import type { AuditEvent } from '../../../src/audit/audit.ts'
import type { Credential } from '../../../src/identity/admission.ts'
import { LiveSessions } from '../../../src/sessions/live-sessions.ts'
import { createSessionStore } from '../../../src/sessions/session-store.ts'
import { Sessions, type SessionsDeps } from '../../../src/sessions/sessions.ts'
import { createChanges } from '../../../src/store/changes.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { recorderDouble } from '../../proxy/relay/recorder-double.ts'
import { runBeside } from '../audit/run-beside.ts'

export const start = 1_800_000_000_000
export const resource = {
  id: 'rds-postgres/111122223333/eu-west-1/orders',
  kind: 'rds-postgres',
  partition: 'aws',
  organization: null,
  account: '111122223333',
  region: 'eu-west-1',
  name: 'orders',
  tags: {},
  attributes: {},
  source: 'config' as const,
}

export function allowed(endsAt: number, kind = resource.kind): AccessAnswer {
  const grant = {
    id: 'grt_1',
    requestId: 'req_1',
    principalId: 'prn_1',
    resourceId: resource.id,
    kind,
    level: 'readonly',
    startsAt: start,
    endsAt,
    ruleName: 'rule',
    ruleDigest: 'd',
    state: 'active' as const,
    endedAt: null,
    endReason: null,
  }
  const rule = { name: 'rule', loginWithinMs: null, acr: [], connectTokenMaxMs: 0 }
  return { allowed: true, grant, held: { resource: { ...resource, kind }, target: {}, level: {} }, rule }
}

export const login: Credential = {
  via: 'cli',
  interactive: true,
  authenticatedAt: start,
  acr: null,
  scopes: null,
  cidr: null,
}

export const ask: OpenAsk = {
  identity: { principalId: 'prn_1', name: 'alice@example.com', credential: { kind: 'login', id: 'lgn_1' } },
  resourceId: 'orders',
  client: { address: '127.0.0.1', port: 1, via: 'websocket' },
  carrier: { protocol: 'postgres' },
}

interface SessionsOptions {
  readonly perPrincipal?: number
  readonly perResource?: number
  /** By default a SQLite store in memory. */
  readonly place?: StorePlace
  /** Of several daemons on one store. */
  readonly id?: string
  readonly number?: number
  readonly peers?: SessionsDeps['peers']
  /** That several have in common; by default each has its own. */
  readonly log?: AuditEvent[]
}

/** Sessions on a store; what the other parts answer is in `state`. */
export async function startSessions(t: Test, options: SessionsOptions = {}) {
  const db = await openStore(options.place ?? { url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  let now = start
  const clock = { now: () => now }
  const events: AuditEvent[] = []
  const state = {
    answers: [] as AccessAnswer[],
    answer: allowed(start + 3_600_000),
    onCheck: () => {},
    onAppend: () => {},
    auditDown: false,
    /** What is appended comes into the log, though its caller is told that it failed. */
    inDoubt: false,
    /** Ends come into the log later, without their rows. */
    spools: false,
    recordingDown: false,
    /** That carries its own sessions, instead of PostgreSQL. */
    kind: null as string | null,
    credential: login as Credential | undefined,
    resumeFails: false,
  }
  const daemons = {
    id: options.id ?? 'dmn_1',
    number: options.number ?? 0,
    isShared: options.place?.postgres !== undefined,
    others: {} as Record<string, 'living' | 'lost'>,
    asked: 0,
    isClockWrong: false,
    requireClock: () => {
      if (daemons.isClockWrong) throw new BrokerError('CLOCK_WRONG')
    },
    onGone: () => {},
    gone: async (ids: readonly string[]) => {
      daemons.asked++
      daemons.onGone()
      return {
        lost: ids.filter((id) => daemons.others[id] === 'lost'),
        unknown: ids.filter((id) => id !== daemons.id && daemons.others[id] === undefined),
      }
    },
  }
  const changes = createChanges()
  const live = new LiveSessions(clock)
  const keyring = { mac: () => 'mac', checkMac: () => true }
  const store = createSessionStore(db, keyring)
  const log = options.log ?? events
  const tell = (event: AuditEvent) => {
    for (const one of new Set([events, log])) one.push(event)
  }
  const audit: SessionsDeps['audit'] = {
    append: async (event, beside) => {
      if (state.auditDown) throw new BrokerError('AUDIT_UNAVAILABLE')
      await runBeside(db, beside)
      state.onAppend()
      tell(event)
      if (state.inDoubt) throw new BrokerError('AUDIT_UNAVAILABLE')
      return { ...event, seq: events.length, at: now, hash: '' }
    },
    appendRemoval: async (event, beside) => {
      const isTold = await runBeside(db, state.spools ? [] : beside).then(
        () => true,
        () => false,
      )
      if (isTold) tell(event)
      return isTold
    },
    search: async ({ types = [], subject }) => {
      const isFound = ({ type, fields }: AuditEvent) =>
        types.includes(type) && (subject === undefined || Object.values(fields).includes(subject))
      const found = log.filter(isFound)
      return { events: found.map((event, i) => ({ ...event, seq: i, at: now, hash: '' })), next: null }
    },
    spooled: () => [],
  }
  const sessions = new Sessions({
    access: {
      check: async () => {
        state.onCheck()
        return state.answers.shift() ?? state.answer
      },
    },
    identity: {
      principal: async () => undefined,
      credential: async () => state.credential,
      tokenKeys: async () => Promise.reject(new Error('unused')),
      identify: async () => Promise.reject(new Error('unused')),
    },
    audit,
    recordings: {
      create: async () => {
        if (state.recordingDown) throw new BrokerError('RECORDING_FAILED')
        return { file: 'x', offset: 10, head: 'header', digestKey: Buffer.alloc(32) }
      },
      recover: async () => ({ digest: 'rec', entries: 3 }),
    },
    store,
    keyring,
    ...(options.peers ? { peers: options.peers } : {}),
    live,
    tunnels: {
      open: () => Promise.reject(new Error('unused')),
      ticket: () => Promise.reject(new Error('unused')),
      end: () => Promise.reject(new Error('unused')),
      isLeftBy: () => false,
    },
    kinds: {
      protocolOf: (kind) => (kind === state.kind ? undefined : 'postgres'),
      protocolsOf: (kind) => (kind === state.kind ? [] : ['postgres']),
      engineOf: () => null,
      leaseAtHand: () => null,
      lease: async () => Promise.reject(new Error('unused')),
      channelsOf: () => undefined,
      leaseToEnd: async ({ facts }) => ({ user: 'ro', secret: facts.sessionId, expiresAt: facts.endsAt }),
    },
    changes,
    limits: {
      sessions: 10,
      sessionsPerPrincipal: options.perPrincipal ?? 5,
      sessionsPerResource: options.perResource ?? 10,
      sessionIdleMs: 0,
    },
    clock,
    daemons,
    metrics: createMetrics(),
    logger: createLogger({ level: 'silent' }),
  })
  const host = new SessionHost({
    doormanFor: (controls) => sessions.serve(controls),
    recorders: {
      resume: async () => {
        if (state.resumeFails) throw new BrokerError('RECORDING_FAILED')
        return {
          ...recorderDouble(),
          onFailure: () => {},
          head: () => ({ head: 'abc', entries: 7 }),
          seal: async () => ({ digest: 'abc', entries: 7 }),
        }
      },
    },
    onError: (error) => {
      throw error
    },
    now: () => now,
  })
  return {
    db,
    audit,
    daemons,
    sessions,
    host,
    state,
    events,
    changes,
    live,
    store,
    advance: (ms: number) => (now += ms),
    now: () => now,
  }
}
