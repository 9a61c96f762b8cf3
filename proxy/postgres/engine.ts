import type { ProtocolParts } from '../relay/protocol.ts'
import type { Connected, Engine } from '../relay/serve-session.ts'
import { BrokerError, type EngineFacts, type Lease, type SessionPermit } from '../session.ts'
import { authenticationOk, encodeBackendKeyData, encodeReadyForQuery } from '../wire/postgres/encode.ts'
import type { CancelRegistry } from './cancel-registry.ts'
import { words } from './errors.ts'
import { Ledger } from './ledger/ledger.ts'
import { SessionCapture } from './ledger/session-capture.ts'
import type { PostgresRules } from './rules.ts'
import type { PostgresClient } from './sign-in/client.ts'
import { protocol } from './sign-in/downstream.ts'
import { openUpstream, type Upstream } from './target/upstream.ts'
import { upstreamParameters } from './target/upstream-parameters.ts'

export function createEngine(parts: ProtocolParts, cancels: CancelRegistry): Engine<PostgresClient> {
  return {
    protocol,
    words,
    connect: async (client, permit, lease, signal) => {
      const { engine } = permit
      if (!engine) throw new BrokerError('INTERNAL', `the permit of ${permit.sessionId} names no target`)
      const rules = engine.rules as PostgresRules // as the kind made them: kinds and engines agree on the protocol's name
      const database = client.database ?? rules.defaultDatabase
      checkDatabase(rules, database)
      const upstream = await open(parts, client, permit, { target: engine, rules, database, lease, signal })
      const { digestKey } = permit.recording
      return connected(client, cancels, { upstream, rules, database, user: (await lease).user, digestKey })
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

async function open(
  { reach, trust }: ProtocolParts,
  client: PostgresClient,
  permit: SessionPermit,
  { target, rules, database, lease, signal }: Opening,
): Promise<Upstream> {
  const wire = await reach.open(permit, signal)
  const parameters = (user: string) => upstreamParameters(client, permit, { user, database }, rules)
  return await openUpstream(wire, {
    serverName: target.serverName,
    secureContext: trust.contextFor(target.ca),
    parameters,
    lease,
    signal,
  })
}

interface Opened {
  readonly upstream: Upstream
  readonly rules: PostgresRules
  readonly database: string
  readonly user: string
  readonly digestKey: Uint8Array
}

function connected(
  client: PostgresClient,
  cancels: CancelRegistry,
  { upstream, rules, database, user, digestKey }: Opened,
): Connected {
  return {
    target: upstream,
    detail: { database, user },
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
      const capture = new SessionCapture(digestKey, upstream.greeting)
      return new Ledger({ ...ledgerParts, maxRows: rules.maxRows, capture })
    },
  }
}

/** @throws BrokerError DATABASE_DENIED */
function checkDatabase({ databases }: PostgresRules, database: string): void {
  if (databases.includes('*') || databases.includes(database)) return
  throw new BrokerError('DATABASE_DENIED', database, {
    hint: `This access level covers ${databases.slice(0, 20).join(', ')}.`,
  })
}
