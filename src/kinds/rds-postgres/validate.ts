/** Preflight: signs in with `pg`, and asks the catalogs of PostgreSQL what the database user may do. Every name is qualified. */

import pg from 'pg'
import { coversDatabase } from '../../../proxy/allowed-databases.ts'
import { openTls } from '../../../proxy/postgres/target/upstream.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import type { Preflight } from '../../sessions/preflights.ts'
import { fail } from '../checks.ts'
import { Connected } from '../rds/connected.ts'
import { isReading } from '../rds/prepare.ts'
import { type Ask, type Client, type Dial, lookAt, SignInFailed } from '../rds/validate.ts'
import { rdsPostgres } from './kind.ts'
import { judgeDatabase, judgeDatabases, judgeReadOnly, judgeRole } from './rights.ts'

/** Fixed: nothing of the configuration or of a caller is in them. */
export const statements = {
  role: `SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls, r.rolvaliduntil,
    pg_catalog.current_setting('default_transaction_read_only') AS read_only
    FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user`,
  memberships: `SELECT r.rolname::pg_catalog.text AS name FROM pg_catalog.pg_roles r
    WHERE r.rolname OPERATOR(pg_catalog.<>) current_user AND pg_catalog.pg_has_role(r.oid, 'MEMBER')
    ORDER BY 1 LIMIT 200`,
  databases: `SELECT d.datname::pg_catalog.text AS name, pg_catalog.has_database_privilege(d.oid, 'CONNECT') AS may_connect
    FROM pg_catalog.pg_database d WHERE d.datallowconn AND NOT d.datistemplate ORDER BY 1 LIMIT 1000`,
  create: `SELECT 'database' AS what, d.datname::pg_catalog.text AS name FROM pg_catalog.pg_database d
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND pg_catalog.has_database_privilege(d.oid, 'CREATE')
    UNION ALL SELECT 'schema', n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n
    WHERE n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
    AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') LIMIT 50`,
  readable: `SELECT pg_catalog.count(*)::pg_catalog.int4 AS count FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}') AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
    AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')`,
  writable: `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,f}') AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
    AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' AND EXISTS (SELECT FROM pg_catalog.pg_roles r
    WHERE pg_catalog.pg_has_role(r.oid, 'MEMBER') AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND (pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))) ORDER BY 1 LIMIT 100`,
  definers: `SELECT pg_catalog.format('%I.%I', n.nspname, p.proname) AS name FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.prosecdef AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
    ORDER BY 1 LIMIT 100`,
} as const

/** Databases that are looked into; of any others it is only said whether they take connections. */
const mostDatabases = 8

export async function validatePostgres(preflight: Preflight): Promise<TargetCheck[]> {
  const { target, level } = heldBy(rdsPostgres, preflight.held)
  const isReader = isReading(preflight.level)
  const named = level.databases.filter((name) => name !== '*')
  const isDefaultCovered = coversDatabase(level.databases, target.database)
  const [first = target.database, ...others] = isDefaultCovered
    ? [target.database, ...named.filter((name) => name !== target.database)]
    : named
  const inDatabase = async (ask: Ask, database: string) =>
    judgeDatabase(database, isReader, {
      create: await ask(statements.create),
      readable: await ask(statements.readable),
      writable: await ask(statements.writable),
      definers: await ask(statements.definers),
    })
  return await lookAt(
    preflight,
    signIn,
    { first, others: others.slice(0, mostDatabases - 1) },
    async (ask) => {
      const [role = {}] = await ask(statements.role)
      return [
        ...judgeRole(role, await ask(statements.memberships)),
        ...judgeReadOnly(role, isReader, level.dbUser),
        ...judgeDatabases(named, await ask(statements.databases), level.dbUser),
        ...(await inDatabase(ask, first)),
      ]
    },
    inDatabase,
  )
}

const trust = new Trust()

/** The token leaves only where the server asks for it in clear text, as RDS does of users with rds_iam, inside TLS. */
async function signIn({ stream, lease, serverName, ca, database, signal }: Dial): Promise<Client> {
  const tls = await openTls(stream, { serverName, secureContext: trust.contextFor(ca), signal })
  const client = new pg.Client({
    stream: () => new Connected(tls),
    ssl: false,
    user: lease.user,
    password: lease.secret,
    database,
    application_name: 'sallyport:preflight',
    statement_timeout: 5000,
  })
  const asked = { token: false, password: false }
  const refuse = () => {
    asked.password = true
    tls.destroy()
  }
  client.connection.on('authenticationCleartextPassword', () => {
    asked.token = true
  })
  client.connection.on('authenticationMD5Password', refuse)
  client.connection.on('authenticationSASL', refuse)
  client.on('error', () => {}) // of a connection that is lost later; the statement under way says so
  try {
    await client.connect()
  } catch (error) {
    throw asked.password ? new SignInFailed(noIamUser(lease.user)) : toFailure(error, asked.token, lease.user)
  }
  return {
    tls: tls.getProtocol() ?? 'TLS',
    query: async (sql) => (await client.query(sql)).rows,
    close: () => void client.end().catch(() => {}),
  }
}

function noIamUser(user: string): TargetCheck {
  return fail(
    'sign-in',
    `the target asks ${user} for a password: there is no such user, or it has not the role rds_iam`,
    `create it, and run on the target: GRANT rds_iam TO ${user}; sallyport aws prepare prints all of it`,
  )
}

/** @returns what to throw */
function toFailure(error: unknown, isTokenAsked: boolean, user: string): unknown {
  const { code = '', message } = error as { code?: string; message: string }
  if (code === '28P01') return new SignInFailed(noIamUser(user)) // of a token, PAM says 28000
  if (code.startsWith('28'))
    return new SignInFailed(
      isTokenAsked
        ? fail(
            'sign-in',
            `the target did not accept the token of ${user}: ${message}`,
            'check that IAM authentication is on, that the role allows rds-db:connect as this user, and that clocks are right',
          )
        : fail('sign-in', message, 'check that the user exists and may sign in over TLS; RDS needs the role rds_iam'),
    )
  if (code === '3D000' || code === '42501')
    return new SignInFailed(
      fail('databases', message, `create the database, or run there: GRANT CONNECT ON DATABASE … TO ${user}`),
    )
  if (/^[0-9A-Z]{5}$/.test(code))
    return new SignInFailed(fail('sign-in', `${message} (${code})`, 'look at the log of the database'))
  return error
}
