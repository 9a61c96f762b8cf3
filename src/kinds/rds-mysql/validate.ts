/** Preflight: signs in with `mysql2`, and reads what the server says of its own account. */
import { TLSSocket } from 'node:tls'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2'
import { trustedRoots } from '../../../proxy/reach/trust.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import type { Preflight } from '../../sessions/preflights.ts'
import { fail } from '../checks.ts'
import { Connected } from '../rds/connected.ts'
import { isReading } from '../rds/prepare.ts'
import { type Ask, type Client, type Dial, lookAt, type Row, SignInFailed } from '../rds/validate.ts'
import { readGrants } from './grants.ts'
import { rdsMysql } from './kind.ts'
import { judgeAccount, judgeGrants } from './rights.ts'

/** Fixed: nothing of the configuration or of a caller is in them. */
export const statements = {
  grants: 'SHOW GRANTS',
  account: 'SHOW CREATE USER CURRENT_USER()',
} as const

export async function validateMysql(preflight: Preflight): Promise<TargetCheck[]> {
  const { level } = heldBy(rdsMysql, preflight.held)
  const { dbUser: user, databases, readOnly } = level
  const isReader = isReading(preflight.level) || readOnly
  return await lookAt(preflight, signIn, { first: '', others: [] }, async (ask) => [
    ...judgeAccount(await accountOf(ask), user),
    ...judgeGrants(readGrants(textsOf(await ask(statements.grants))), { user, databases, isReader }),
  ])
}

/** MySQL before 5.7 and MariaDB before 10.2 do not know the statement. */
async function accountOf(ask: Ask): Promise<string | undefined> {
  try {
    return textsOf(await ask(statements.account))[0]
  } catch (error) {
    if (typeof (error as { errno?: unknown }).errno === 'number') return undefined
    throw error
  }
}

/** Each row is one line. */
function textsOf(rows: readonly Row[]): string[] {
  return rows.map((row) => String(Object.values(row)[0] ?? ''))
}

const clearPassword = 'mysql_clear_password'

/** The token leaves only where the server asks for it in clear text, as RDS does of users of its plugin, inside TLS. */
async function signIn({ stream, lease, serverName, ca, database }: Dial): Promise<Client> {
  let isTokenAsked = false
  const connection = createConnection({
    stream: new Connected(stream),
    host: serverName,
    ssl: { ca: trustedRoots(ca), rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' },
    user: lease.user,
    ...(database === '' ? {} : { database }),
    // No password: any other plugin has nothing to answer with.
    authPlugins: {
      [clearPassword]: () => () => {
        isTokenAsked = true
        return Buffer.from(`${lease.secret}\0`)
      },
    },
    connectAttributes: { program_name: 'sallyport', _sallyport_session: 'preflight' },
    disableEval: true,
    flags: ['-LOCAL_FILES'],
    multipleStatements: false,
  })
  connection.on('error', () => {}) // of a connection that is lost; the statement under way says so too
  try {
    await connected(connection)
  } catch (error) {
    // The library says that the connection was lost; why TLS gave it up is an error of its socket.
    throw toFailure(tlsOf(connection)?.errored ?? error, isTokenAsked, lease.user)
  }
  return {
    tls: tlsOf(connection)?.getProtocol() ?? 'TLS',
    query: async (sql) => (await connection.promise().query<RowDataPacket[]>({ sql, timeout: 5000 }))[0],
    close: () => connection.destroy(),
  }
}

/** Undefined before it was begun. */
function tlsOf(connection: Connection): TLSSocket | undefined {
  const stream: unknown = Reflect.get(connection, 'stream') // no type names it
  return stream instanceof TLSSocket ? stream : undefined
}

async function connected(connection: Connection): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()))
  })
}

const accessDenied = new Set([1045, 1698])
const unknownDatabase = new Set([1044, 1049])

/** @returns what to throw */
function toFailure(error: unknown, isTokenAsked: boolean, user: string): unknown {
  const { errno, code = '', message } = error as { errno?: number; code?: string; message: string }
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT')
    return new BrokerError('TARGET_UNTRUSTED', 'it does not offer TLS', { cause: error })
  // In place of the code that TLS had for it.
  if (code === 'HANDSHAKE_SSL_ERROR')
    return new BrokerError('TARGET_UNTRUSTED', message, {
      cause: error,
      hint: 'The certificate is not signed by one of the trusted roots, or is not for this endpoint: see endpoint and ca of the resource.',
    })
  if (errno !== undefined && accessDenied.has(errno))
    return new SignInFailed(
      isTokenAsked
        ? fail(
            'sign-in',
            `the target did not accept the token of ${user}: ${message}`,
            'check that IAM authentication is on, that the role allows rds-db:connect as this user, and that clocks are right',
          )
        : fail(
            'sign-in',
            `the target does not ask ${user} for a token: there is no such user, or it is not identified with AWSAuthenticationPlugin`,
            'sallyport aws prepare prints the statement that creates it',
          ),
    )
  if (errno !== undefined && unknownDatabase.has(errno))
    return new SignInFailed(fail('databases', message, 'create the database, or give the user its privileges there'))
  if (errno !== undefined && errno >= 1000 && errno < 10_000)
    return new SignInFailed(fail('sign-in', `${message} (${errno})`, 'look at the log of the database'))
  return error
}
