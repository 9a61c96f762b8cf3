import { checkDatabase } from '../allowed-databases.ts'
import type { Wire } from '../reach/reach.ts'
import type { ProtocolParts } from '../relay/protocol.ts'
import type { Connected, Engine } from '../relay/serve-session.ts'
import type { TargetWork } from '../relay/target.ts'
import { carriesNoCancel } from '../relay/target-limits.ts'
import { BrokerError, type EngineFacts, type Lease, type SessionPermit } from '../session.ts'
import { authenticationOk, encodeBackendKeyData, encodeReadyForQuery } from '../wire/postgres/encode.ts'
import type { CancelRegistry } from './cancel-registry.ts'
import { words } from './errors.ts'
import { Ledger } from './ledger/ledger.ts'
import { SessionCapture } from './ledger/session-capture.ts'
import type { PostgresRules } from './rules.ts'
import type { PostgresClient } from './sign-in/client.ts'
import { protocol } from './sign-in/downstream.ts'
import { type Backend, endBackend, learnBackend } from './target/backend.ts'
import { backendDetail, shownBackend } from './target/backend-detail.ts'
import { openUpstream, type Upstream } from './target/upstream.ts'
import { endingParameters, upstreamParameters } from './target/upstream-parameters.ts'

export function createEngine(parts: ProtocolParts, cancels: CancelRegistry): Engine<PostgresClient> {
  return {
    protocol,
    words,
    connect: async (client, permit, lease, signal) => {
      const { engine } = permit
      if (!engine) throw new BrokerError('INTERNAL', `the permit of ${permit.sessionId} names no target`)
      const rules = engine.rules as PostgresRules // as the kind made them: kinds and engines agree on the protocol's name
      const database = client.database ?? rules.defaultDatabase
      checkDatabase(rules.databases, database)
      const opened = await open(parts, client, permit, { target: engine, rules, database, lease, signal })
      const { digestKey } = permit.recording
      return connected(client, cancels, { ...opened, rules, database, user: (await lease).user, digestKey })
    },
  }
}

interface Opening {
  readonly target: EngineFacts
  readonly rules: PostgresRules
  readonly database: string
  readonly lease: Promise<Lease>
  readonly signal: AbortSignal
}

interface Opened {
  readonly upstream: Upstream
  readonly wire: Wire
  readonly backend: Backend | undefined
  /** Ends what the session left running; undefined without a proof of who serves it. */
  readonly work: TargetWork | undefined
}

async function open(
  { reach, trust }: ProtocolParts,
  client: PostgresClient,
  permit: SessionPermit,
  { target, rules, database, lease, signal }: Opening,
): Promise<Opened> {
  const wire = await reach.open(permit, signal)
  const trusted = { serverName: target.serverName, secureContext: trust.contextFor(target.ca) }
  const parameters = (user: string) => upstreamParameters(client, permit, { user, database }, rules)
  const signedIn = await openUpstream(wire, { ...trusted, parameters, lease, signal })
  const { upstream, backend } = await learnBackend(
    target.isPooled ? { ...signedIn, cancel: () => Promise.reject(carriesNoCancel()) } : signedIn,
    target,
    signal,
  )
  const work = backend && {
    end: async (last: Promise<Lease>, until: AbortSignal) => {
      const stream = await wire.again(until)
      await endBackend({ ...wire, stream }, backend, {
        ...trusted,
        parameters: (user) => endingParameters(permit.sessionId, user, database),
        lease: last,
        signal: until,
      })
    },
  }
  return { upstream, wire, backend, work }
}

interface Connecting extends Opened {
  readonly rules: PostgresRules
  readonly database: string
  readonly user: string
  readonly digestKey: Uint8Array
}

function connected(
  client: PostgresClient,
  cancels: CancelRegistry,
  { upstream, wire, backend, work, rules, database, user, digestKey }: Connecting,
): Connected {
  return {
    target: work ? { ...upstream, work } : upstream,
    detail: { database, user, ...backendDetail(wire, backend) },
    begin: (cancel) => {
      const key = cancels.add(client.minor, cancel)
      const { greeting, status } = upstream
      const backendKey = encodeBackendKeyData(key.pid, key.key)
      return {
        greeting: Buffer.concat([authenticationOk, greeting, backendKey, encodeReadyForQuery(status)]),
        end: () => cancels.remove(key),
      }
    },
    converse: (ledgerParts) => {
      const { entries, now } = ledgerParts
      if (backend) entries.write(JSON.stringify({ at: now(), type: 'target', ...shownBackend(backend) }))
      const capture = new SessionCapture(digestKey, upstream.greeting)
      return new Ledger({ ...ledgerParts, maxRows: rules.maxRows, capture })
    },
  }
}
