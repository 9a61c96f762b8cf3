import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createPostgres } from '../../../proxy/postgres/protocol.ts'
import type { PostgresRules } from '../../../proxy/postgres/rules.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import type { Reach } from '../../../proxy/reach/reach.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { EngineFacts, SessionBudget } from '../../../proxy/session.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import { waitUntil as until } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'

export const endpoint = 'orders.example.internal'

/** Where a session goes, and as whom: what of the default a test wants otherwise. */
export interface Route extends PostgresRules {
  readonly host: string
  readonly port: number
  readonly serverName: string
  readonly ca: string
  readonly user: string
  readonly connectTimeoutMs?: number
  password(): Promise<string>
}

/** The engine before a real PostgreSQL in TLS, with a doorman that lets every client in and records what happens. */
export async function startEngine(options: { route?: Partial<Route>; idleTimeoutMs?: number } = {}) {
  const authority = createAuthority()
  const postgres = await startPostgres({ tcp: { tls: authority.issue([endpoint]) } })
  const way = {
    route: (options.route ?? {}) as Partial<Route>,
    reach: undefined as Reach | undefined,
    budget: undefined as SessionBudget | undefined,
    strict: false,
    /** Of the endpoint. */
    traits: {} as Pick<EngineFacts, 'via' | 'isPooled' | 'isWriter' | 'signInsPerSecond' | 'connectTimeoutMs'>,
  }
  const route = (): Route => ({
    host: '127.0.0.1',
    port: postgres.tcpPort ?? 0,
    serverName: endpoint,
    ca: authority.cert,
    user: 'sallyport_rw',
    databases: ['*'],
    defaultDatabase: 'orders',
    statementTimeoutMs: 0,
    maxRows: 0,
    password: async () => 'an IAM token',
    ...control.route,
  })
  const engine = (): EngineFacts<PostgresRules> => {
    const { host, port, serverName, ca, databases, defaultDatabase, statementTimeoutMs, maxRows } = route()
    const { connectTimeoutMs } = route()
    return {
      address: { host, port },
      serverName,
      ca,
      isRecordingStrict: control.strict,
      ...control.traits,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(control.budget ? { budget: control.budget } : {}),
      rules: { databases, defaultDatabase, statementTimeoutMs, maxRows },
    }
  }
  const lease = async () => {
    const { user, password } = route()
    return { user, secret: await password(), expiresAt: Date.now() + 600_000 }
  }
  const scripted = scriptedDoorman({ kind: 'rds-postgres', engine, lease, ...options })
  const { seen, host, errors, cut, move } = scripted
  const control = Object.assign(scripted.control, way)
  const protocol = createPostgres({
    host,
    reach: { open: (...asked) => (control.reach ?? direct).open(...asked) },
    trust: new Trust(),
    onError: (error) => errors.push(error),
    onRefused: (error) => errors.push(error),
    now: () => Date.now(),
  })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    const resourceId = 'rds-postgres/111122223333/eu-west-1/orders'
    void protocol.serveStream(socket, { identity, resourceId, client: { ...origin, port: socket.remotePort ?? 0 } })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = (server.address() as AddressInfo).port
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: 'anyone',
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
    cut,
    move,
    /** Bytes that were relayed so far, also those that are not reported yet. */
    relayed: () => {
      const { bytesUp, bytesDown } = host.reports.of('rds-postgres')
      return { up: seen.relayed.up + bytesUp, down: seen.relayed.down + bytesDown }
    },
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
