import pg from 'pg'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import type { Door } from './company.ts'

export interface ConnectToken {
  readonly id: string
  readonly token: string
  readonly user: string
  readonly host: string
  readonly port: number
  readonly grantId: string
}

/** A client of any make, on the broker's own TLS port. */
export interface DatabaseClient {
  readonly client: pg.Client
  /** As the audit log and the list of sessions name it. */
  readonly sessionId: string
  readonly tokenId: string
  /** Resolves with what the server said last, or how the connection was lost. */
  readonly lost: Promise<{ readonly code?: string | undefined; readonly message: string }>
}

/** Connects with a connect token of this person's. @throws Error of the API, or the server's */
export async function openDatabase(company: Door, person: AccountName = 'alice'): Promise<DatabaseClient> {
  return await openWith(company, await issueToken(company, person))
}

/** @throws Error the server's */
export async function openWith(company: Door, issued: ConnectToken): Promise<DatabaseClient> {
  const client = clientFor(company, issued)
  const lost = new Promise<{ code?: string | undefined; message: string }>((resolve) => client.on('error', resolve))
  await client.connect()
  const { rows } = await client.query("select current_setting('application_name') as name")
  const sessionId = /ses_[0-9a-z]{26}/.exec(rows[0].name)?.[0]
  if (!sessionId) throw new Error(`application_name names no session: ${rows[0].name}`)
  return { client, sessionId, tokenId: issued.id, lost }
}

export function issueToken(company: Door, person: AccountName = 'alice', more: object = {}): Promise<ConnectToken> {
  return company.api(person, 'POST', '/api/v1/connect-tokens', { resource: 'orders', ...more })
}

export function clientFor(company: Door, { host, port, user, token }: ConnectToken, database = 'orders'): pg.Client {
  const ssl = { ca: company.sandbox.authority.cert }
  return new pg.Client({ host, port, user, password: token, database, ssl })
}

/** How the broker refuses a client; one that it lets in says so. */
export async function refusal(client: pg.Client): Promise<{ code?: string; message: string }> {
  try {
    await client.connect()
  } catch (error) {
    return error as { code?: string; message: string }
  }
  await client.end()
  return { message: 'it opened' }
}
