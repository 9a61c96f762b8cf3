import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise'
import type { Test } from 'tap'
import type { Identity } from '../../../proxy/doorman.ts'
import { createMysql } from '../../../proxy/mysql/protocol.ts'
import type { MysqlRules } from '../../../proxy/mysql/rules.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { EngineFacts, SessionBudget } from '../../../proxy/session.ts'
import { AwsFault } from '../../sandbox/aws/aws-fault.ts'
import type { Caller } from '../../sandbox/aws/callers.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { createClock } from '../../sandbox/clock.ts'
import { startMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { startRdsMySql } from '../../sandbox/mysql/rds-mysql.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'

export const endpointName = 'orders.example.internal'
export const iamToken = `an IAM token of ${'x'.repeat(1500)}`
export const resourceId = 'rds-mysql/111122223333/eu-west-1/orders'

/** Where a session goes, and as whom: what of the default a test wants otherwise. */
export interface Route extends MysqlRules {
  readonly port: number
  readonly serverName: string
  readonly ca: string
  readonly user: string
  readonly connectTimeoutMs?: number
  readonly secret: string
}

const caller: Caller = {
  accessKeyId: 'ASIAXXXXXXXXXXXXXXXX',
  secretAccessKey: 'x',
  session: null,
  arn: 'arn:aws:sts::111122223333:assumed-role/x/y',
  principalArn: 'arn:aws:iam::111122223333:role/x',
  userId: 'x',
  account: '111122223333',
}

/** The engine before an RDS endpoint with a real MariaDB, with a doorman that lets every client in and records what happens. */
export async function startEngine(options: { idleTimeoutMs?: number } = {}) {
  const authority = createAuthority()
  const mariadb = await startMariaDb()
  const rds = await startRdsMySql({
    endpoint: {
      host: endpointName,
      port: 3306,
      region: 'eu-west-1',
      account: '111122223333',
      partition: 'aws',
      resourceId: 'db-X',
    },
    certificate: authority.issue([endpointName]),
    tokens: {
      check: (token) => {
        if (token !== iamToken) throw new AwsFault('AccessDenied', 403, 'not that token')
        return caller
      },
    },
    mariadb,
    clock: createClock(),
  })
  const way = {
    route: {} as Partial<Route>,
    budget: undefined as SessionBudget | undefined,
    strict: false,
    /** Of the endpoint. */
    traits: {} as Pick<EngineFacts, 'isPooled' | 'isWriter' | 'signInsPerSecond' | 'connectTimeoutMs'>,
    identity: undefined as Identity | undefined,
  }
  const route = (): Route => ({
    port: rds.listenPort,
    serverName: endpointName,
    ca: authority.cert,
    user: 'sallyport_rw',
    databases: ['*'],
    defaultDatabase: '',
    statementTimeoutMs: 0,
    maxRows: 0,
    localInfile: false,
    readOnly: false,
    secret: iamToken,
    ...control.route,
  })
  const engine = (): EngineFacts<MysqlRules> => {
    const { port, serverName, ca, connectTimeoutMs, user: _user, secret: _secret, ...rules } = route()
    return {
      address: { host: '127.0.0.1', port },
      serverName,
      ca,
      isRecordingStrict: control.strict,
      ...control.traits,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(control.budget ? { budget: control.budget } : {}),
      rules,
    }
  }
  const lease = async () => {
    const { user, secret } = route()
    return { user, secret, expiresAt: Date.now() + 600_000 }
  }
  const scripted = scriptedDoorman({ kind: 'rds-mysql', engine, lease, ...options })
  const { seen, host, errors, cut, facts } = scripted
  const control = Object.assign(scripted.control, way)
  const protocol = createMysql({
    host,
    reach: direct,
    trust: new Trust(),
    onError: (error) => errors.push(error),
    onRefused: (error) => errors.push(error),
    now: () => Date.now(),
  })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    const client = { ...origin, port: socket.remotePort ?? 0 }
    void protocol.serveStream(socket, { identity: control.identity ?? identity, resourceId, client })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  /** Of mysql2: without TLS and with any password, as behind the local proxy. */
  const client = { host: '127.0.0.1', port, user: 'anyone', password: 'local', database: 'orders' }
  return {
    mariadb,
    rds,
    authority,
    seen,
    control,
    errors,
    port,
    cut,
    client,
    connect: async (t: Test, more: ConnectionOptions = {}): Promise<Connection> => {
      const connection = await createConnection({ ...client, ...more })
      connection.on('error', () => {})
      t.teardown(() => connection.destroy())
      return connection
    },
    /** What the next run does for a session of this one. @param more what it knows otherwise */
    endLost: async (
      detail: Readonly<Record<string, string>>,
      more: { sessionId?: string; user?: string } = {},
    ): Promise<boolean> => {
      const ask = { identity, resourceId, client: origin, carrier: { protocol: 'mysql' } }
      const { user, ...known } = more
      const last = await lease()
      return await host.endLost({
        protocol: 'mysql',
        facts: { ...facts(ask), ...known },
        detail,
        lease: { ...last, user: user ?? last.user },
      })
    },
    /** Resolves once `count` sessions have ended. */
    ended: (count: number) => waitUntil(() => seen.ends.length >= count, `${count} sessions ended`),
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await rds.close()
      await mariadb.close()
    },
  }
}
