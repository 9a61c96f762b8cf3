import { checkDatabase } from '../allowed-databases.ts'
import type { Wire } from '../reach/reach.ts'
import type { ProtocolParts } from '../relay/protocol.ts'
import type { Connected, Engine } from '../relay/serve-session.ts'
import type { Target, TargetWork } from '../relay/target.ts'
import { carriesNoCancel } from '../relay/target-limits.ts'
import { BrokerError, type EngineFacts, type Lease, type SessionPermit } from '../session.ts'
import { dropTls } from '../streams/drop-tls.ts'
import { quit } from '../wire/mysql/encode.ts'
import { encodePacket } from '../wire/mysql/packets.ts'
import { createChangeUser } from './change-user.ts'
import { wordsFor } from './errors.ts'
import type { Learnt } from './learnt.ts'
import { Ledger } from './ledger/ledger.ts'
import type { MysqlRules } from './rules.ts'
import type { MysqlClient } from './sign-in/client.ts'
import { protocol } from './sign-in/downstream.ts'
import { SessionText } from './sql/session-text.ts'
import { endingLogin, upstreamLogin } from './target/login.ts'
import { resetSession } from './target/reset-session.ts'
import { killThread, learnThread, type ServerThread } from './target/server-thread.ts'
import { applySettings, sessionSettings } from './target/session-settings.ts'
import { threadDetail } from './target/thread-detail.ts'
import { openUpstream, type SignIn, type Upstream } from './target/upstream.ts'
import type { Threads } from './threads.ts'

export interface EngineParts {
  readonly threads: Threads
  readonly learnt: Learnt
}

const cancelMs = 5000

export function createEngine(parts: ProtocolParts, own: EngineParts): Engine<MysqlClient> {
  return {
    protocol,
    words: wordsFor(() => 0), // each client has its own
    connect: async (client, permit, lease, signal) => {
      const { engine } = permit
      if (!engine) throw new BrokerError('INTERNAL', `the permit of ${permit.sessionId} names no target`)
      const rules = engine.rules as MysqlRules // as the kind made them: kinds and engines agree on the protocol's name
      const database = client.database ?? rules.defaultDatabase
      if (database !== '') checkDatabase(rules.databases, database)
      const opened = await open(parts, own, client, permit, { target: engine, rules, database, lease, signal })
      return connected(parts, own, client, permit, { ...opened, rules, database })
    },
  }
}

interface Opening {
  readonly target: EngineFacts
  readonly rules: MysqlRules
  readonly database: string
  readonly lease: Promise<Lease>
  readonly signal: AbortSignal
}

interface Opened {
  readonly upstream: Upstream
  readonly thread: ServerThread | undefined
  /** Flags that the server answered with last. */
  readonly status: number | undefined
  /** Statements that were sent for the level. */
  readonly settings: readonly string[]
  readonly target: Target
}

async function open(
  { host, reach, trust, now }: ProtocolParts,
  { learnt }: EngineParts,
  client: MysqlClient,
  permit: SessionPermit,
  { target, rules, database, lease, signal }: Opening,
): Promise<Opened> {
  const wire = await reach.open(permit, signal)
  const trusted = { serverName: target.serverName, secureContext: trust.contextFor(target.ca) }
  const login = upstreamLogin(client, permit, database, rules)
  const upstream = await openUpstream(wire, {
    ...trusted,
    login: (server) => {
      learnt.learn(permit.resourceId, server)
      return login(server)
    },
    lease,
    signal,
  })
  const { thread, status } = await learnThread(upstream, permit.sessionId, target, signal)
  const settings = sessionSettings(rules, upstream.greeting)
  await applySettings(upstream, settings, signal)
  const current = async () => {
    const first = await lease
    return first.expiresAt > now() ? first : await host.lease(permit)
  }
  const ending = { ...trusted, login: endingLogin(permit.sessionId) }
  const reached = targetOf(upstream, thread, ending, current)
  return {
    upstream,
    thread,
    status,
    settings,
    target: target.isPooled ? { ...reached, cancel: () => Promise.reject(carriesNoCancel()) } : reached,
  }
}

/** @param current the credential of the session, for another sign-in while it lives */
function targetOf(
  { stream, wire }: Upstream,
  thread: ServerThread | undefined,
  ending: Omit<SignIn, 'lease' | 'signal'>,
  current: () => Promise<Lease>,
): Target {
  const cancel = async () => {
    if (!thread) throw new BrokerError('TARGET_REFUSED', 'the target gave no proof of which thread serves the session')
    const signal = AbortSignal.timeout(cancelMs)
    await killThread(await again(wire, signal), thread, 'query', { ...ending, lease: current(), signal })
  }
  const work: TargetWork | undefined = thread && {
    end: async (lease, signal) =>
      await killThread(await again(wire, signal), thread, 'connection', { ...ending, lease, signal }),
  }
  const reset = () => dropTls(stream, wire.reset)
  const farewell = encodePacket(0, quit)
  return { stream, ahead: Buffer.alloc(0), farewell, cancel, reset, ...(work ? { work } : {}) }
}

async function again(wire: Wire, signal: AbortSignal): Promise<Wire> {
  return { ...wire, stream: await wire.again(signal) }
}

interface Connecting extends Opened {
  readonly rules: MysqlRules
  readonly database: string
}

function connected(
  { host }: ProtocolParts,
  { threads }: EngineParts,
  client: MysqlClient,
  permit: SessionPermit,
  { upstream, thread, status, settings, target, rules, database }: Connecting,
): Connected {
  const { threadId, stream, sequence } = client
  const { principalId, resourceId } = permit
  const { user, capabilities, greeting, wire } = upstream
  return {
    target,
    detail: { database, user, ...threadDetail(wire, thread) },
    begin: (cancel) => {
      const targetThreadId = thread?.id ?? greeting.threadId
      threads.begin(threadId, { principalId, resourceId, targetThreadId, cancel, end: () => void stream.destroy() })
      return { greeting: encodePacket(sequence, upstream.ok), end: () => threads.end(threadId) }
    },
    converse: (ledgerParts) => {
      const { entries, now } = ledgerParts
      if (thread) entries.write(JSON.stringify({ at: now(), type: 'target', threadId: thread.id }))
      const capture = new SessionText(permit.recording.digestKey, greeting.version, thread !== undefined)
      capture.status(status)
      return new Ledger({
        ...ledgerParts,
        capabilities,
        maxRows: rules.maxRows,
        databases: rules.databases,
        mayLoadLocal: rules.localInfile,
        ...(settings.length === 0 ? {} : { reset: (stream) => resetSession(stream, { capabilities, settings }) }),
        changeUser: createChangeUser({
          doorman: host.doorman,
          client,
          rules,
          target: { capabilities, settings, greeting },
        }),
        capture,
        kill: (number, kind) =>
          permit.engine?.isPooled
            ? Promise.resolve('pooled')
            : host.doorman.stop({
                protocol,
                number,
                what: kind === 'query' ? 'statement' : 'session',
                principalId,
                resourceId,
                origin: client.client,
              }),
      })
    },
  }
}
