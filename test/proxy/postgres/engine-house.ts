import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { makePermit } from '../../../proxy/permit.ts'
import { serveWebsocket } from '../../../proxy/postgres/serve.ts'
import type { PostgresRoute } from '../../../proxy/postgres/target/route.ts'
import { createPostgresEngine } from '../../../proxy/relay/session.ts'
import {
  BrokerError,
  type Doorman,
  type EndNotice,
  type OpenAsk,
  type SessionOutcome,
  type SessionPermit,
} from '../../../proxy/session.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import { waitUntil as until } from '../../wait-until.ts'

export const endpoint = 'orders.example.internal'

/** The engine before a real PostgreSQL in TLS, with a doorman that lets everybody in and writes down what happens. */
export async function startEngine(options: { route?: Partial<PostgresRoute>; idleTimeoutMs?: number } = {}) {
  const authority = createAuthority()
  const postgres = await startPostgres({ tcp: { tls: authority.issue([endpoint]) } })
  const seen = {
    asks: [] as OpenAsk[],
    ends: [] as SessionOutcome[],
    details: [] as Readonly<Record<string, string>>[],
    cancels: 0,
    strangers: [] as string[],
    statements: 0,
    entries: [] as Record<string, unknown>[],
    relayed: { up: 0, down: 0 },
  }
  const control = {
    abort: new AbortController(),
    refusal: undefined as BrokerError | undefined,
    /** The recorder says it is full until `drain` is called. */
    isFull: false,
    breaks: false,
    drain: () => {},
    route: options.route ?? {},
    /** Instead of `route`. */
    dial: undefined as (() => Promise<PostgresRoute>) | undefined,
  }
  const recorder = {
    write: (bytes: Uint8Array, start: number, end: number) => {
      if (control.breaks) throw new BrokerError('RECORDING_FAILED')
      seen.entries.push(JSON.parse(Buffer.from(bytes.subarray(start, end)).toString('utf8')))
      return !control.isFull
    },
    onDrain: (listener: () => void) => {
      control.drain = listener
    },
  }
  const doorman: Doorman = {
    scramVerifier: () => Promise.reject(new Error('not asked here')),
    identify: () => Promise.reject(new Error('not asked here')),
    open: async (ask) => {
      seen.asks.push(ask)
      if (control.refusal) throw control.refusal
      control.abort = new AbortController()
      return makePermit({
        sessionId: 'ses_01234567890123456789012345',
        principalId: 'prn_1',
        principalName: 'alice@example.com',
        grantId: 'grt_1',
        requestId: 'req_1',
        resourceId: ask.resourceId,
        kind: 'rds-postgres',
        level: 'readonly',
        endsAt: Date.now() + 3_600_000,
        signal: control.abort.signal,
        limits: { idleTimeoutMs: options.idleTimeoutMs ?? 0 },
        recorder,
      })
    },
    started: async (_permit: SessionPermit, detail) => {
      seen.details.push(detail)
    },
    end: async (_permit: SessionPermit, outcome) => {
      seen.ends.push(outcome)
    },
    cancelled: () => {
      seen.cancels += 1
    },
    refused: (_ask, error) => {
      seen.strangers.push(error.code)
    },
    strangerFailed: (code) => {
      seen.strangers.push(code)
    },
    phase: () => {},
    relayed: (_kind, direction, bytes) => {
      seen.relayed[direction] += bytes
    },
    statement: () => {
      seen.statements += 1
    },
  }
  const route = (): PostgresRoute => ({
    host: '127.0.0.1',
    port: postgres.tcpPort ?? 0,
    servername: endpoint,
    secureContext: createSecureContext({ ca: authority.cert }),
    user: 'sallyport_rw',
    databases: ['*'],
    defaultDatabase: 'orders',
    statementTimeoutMs: 0,
    maxRows: 0,
    password: async () => 'an IAM token',
    ...control.route,
  })
  const errors: unknown[] = []
  const engine = createPostgresEngine({
    doorman,
    dial: async () => (control.dial ? control.dial() : route()),
    onError: (error) => errors.push(error),
  })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    const client = { address: '127.0.0.1', port: socket.remotePort ?? 0, via: 'websocket' as const }
    const identity = {
      principalId: 'prn_1',
      name: 'alice@example.com',
      credential: { kind: 'login' as const, id: 'lgn_1' },
    }
    void serveWebsocket(
      engine,
      socket,
      { identity, resourceId: 'rds-postgres/111122223333/eu-west-1/orders', client },
      { doorman, onRefused: (error) => errors.push(error) },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = (server.address() as AddressInfo).port
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: 'whoever',
    PGDATABASE: 'orders',
    PGSSLMODE: 'disable',
  }
  return {
    postgres,
    authority,
    seen,
    control,
    errors,
    port,
    env,
    cut: (notice: Partial<EndNotice> = {}) =>
      control.abort.abort({
        reason: 'grant-revoked',
        text: 'access was revoked by bob@example.com: incident 42',
        decidedAt: Date.now(),
        ...notice,
      }),
    /** Resolves once `count` sessions have ended. */
    ended: (count: number) => until(() => seen.ends.length >= count, `${count} sessions ended`),
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await postgres.close()
    },
  }
}

export { until }
