import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise'
import { mysqlOf } from '../sandbox/sandbox.ts'
import type { Door } from './company.ts'
import { type ConnectToken, issueToken } from './database-client.ts'

/** A mysql2 connection on the broker's own TLS port. */
export interface MySqlClient {
  readonly connection: Connection
  /** As the audit log and the list of sessions name it. */
  readonly sessionId: string
  /** Resolves with what the server said last, or how the connection was lost. */
  readonly lost: Promise<{ readonly code?: unknown; readonly errno?: number; readonly message: string }>
}

/** @param level where the person has more than one grant */
export function issueMySqlToken(company: Door, level?: string): Promise<ConnectToken> {
  return issueToken(company, 'alice', { resource: 'shop', ...(level === undefined ? {} : { level }) })
}

/** Connects with a connect token of alice's. @throws Error of the API, or the server's */
export async function openMySql(
  company: Door,
  { level, ...options }: ConnectionOptions & { level?: string } = {},
): Promise<MySqlClient> {
  return await mySqlClientFor(company, await issueMySqlToken(company, level), options)
}

/** @throws Error of the server */
export async function mySqlClientFor(
  company: Door,
  { host, port, user, token }: ConnectToken,
  more: ConnectionOptions = {},
): Promise<MySqlClient> {
  const ssl = { ca: company.sandbox.authority.cert }
  const connection = await createConnection({ host, port, user, password: token, database: 'orders', ssl, ...more })
  const lost = new Promise<{ code?: unknown; errno?: number; message: string }>((resolve) =>
    connection.on('error', resolve),
  )
  const sessionId = mysqlOf(company.sandbox).shop.logins.at(-1)?.attributes.get('_sallyport_session')
  if (!sessionId) throw new Error('the login at the target names no session')
  return { connection, sessionId, lost }
}

export async function rowsOf(connection: Connection, sql: string, values: readonly unknown[] = []) {
  const [rows] = await connection.query<RowDataPacket[]>(sql, [...values])
  return rows.map((row) => ({ ...row }))
}
