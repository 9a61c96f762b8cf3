/** What a database user of PostgreSQL may do, and what of it goes beyond its level. Judgement alone. */
import type { TargetCheck } from '../../contract/aws.ts'
import { fail, ok, someOf, warn } from '../checks.ts'
import type { Row } from '../rds/validate.ts'

/** Attributes of a role, none of which a level needs. */
const attributes = {
  rolsuper: 'SUPERUSER',
  rolcreaterole: 'CREATEROLE',
  rolcreatedb: 'CREATEDB',
  rolreplication: 'REPLICATION',
  rolbypassrls: 'BYPASSRLS',
} as const

/** Roles that come with PostgreSQL or RDS and lead beyond any level: to other users' data, sessions or files. */
const powerful =
  /^(rds_superuser|rds_replication|rds_password|rds_ad|rdsadmin|pg_(read_server_files|write_server_files|execute_server_program|signal_backend|signal_autovacuum_worker|create_subscription|maintain|checkpoint|database_owner|monitor|read_all_settings|read_all_stats|stat_scan_tables))$/
/** What lets users of IAM in. */
const harmless = /^rds_iam$/

export function judgeRole(role: Row, memberships: readonly Row[]): TargetCheck[] {
  const held = Object.entries(attributes).flatMap(([column, name]) => (role[column] === true ? [name] : []))
  const roles = namesOf(memberships).filter((name) => !harmless.test(name))
  const tooMany = role.rolsuper === true ? [] : roles.filter((name) => powerful.test(name))
  const others = role.rolsuper === true ? [] : roles.filter((name) => !powerful.test(name))
  const checks: TargetCheck[] = []
  if (held.length > 0)
    checks.push(
      fail(
        'attributes',
        `it is ${held.join(', ')}, which is wider than any level`,
        `run: ALTER ROLE … ${held.map((name) => `NO${name}`).join(' ')}`,
      ),
    )
  if (tooMany.length > 0)
    checks.push(
      fail(
        'roles',
        `it is a member of ${tooMany.join(', ')}, which is wider than any level`,
        `run: REVOKE ${tooMany.join(', ')} FROM …`,
      ),
    )
  if (others.length > 0)
    checks.push(
      warn(
        'roles',
        `it is a member of ${someOf(others)}: what they may do is counted below, as it is there now`,
        'give the user the privileges themselves, so that a change of another role does not widen the level',
      ),
    )
  return checks.length > 0 ? checks : [ok('attributes and roles', 'none that is wider than a level')]
}

/** A guard against mistakes: SQL can change it. */
export function judgeReadOnly(role: Row, isReader: boolean, user: string): TargetCheck[] {
  if (!isReader) return []
  if (role.read_only === 'on') return [ok('default_transaction_read_only', 'on')]
  return [
    warn(
      'default_transaction_read_only',
      'off: what keeps writes out are the privileges alone',
      `run: ALTER ROLE ${user} SET default_transaction_read_only = on`,
    ),
  ]
}

/** @param named by the level; empty: all */
export function judgeDatabases(named: readonly string[], found: readonly Row[], user: string): TargetCheck[] {
  const mayConnect = new Map(found.map(({ name, may_connect: may }) => [String(name), may === true]))
  const missing = named.filter((name) => !mayConnect.has(name))
  const closed = named.filter((name) => mayConnect.get(name) === false)
  const checks: TargetCheck[] = []
  if (missing.length > 0)
    checks.push(fail('databases', `there is no ${someOf(missing)}`, 'create it, or correct databases of the level'))
  if (closed.length > 0)
    checks.push(
      fail('databases', `it may not connect to ${someOf(closed)}`, `run: GRANT CONNECT ON DATABASE … TO ${user}`),
    )
  if (checks.length > 0) return checks
  return [ok('databases', named.length === 0 ? 'the level covers all' : `it may connect to ${someOf(named)}`)]
}

export interface Rights {
  /** Database and schemas in which it may create. */
  readonly create: readonly Row[]
  readonly readable: readonly Row[]
  readonly writable: readonly Row[]
  readonly definers: readonly Row[]
}

/** Privileges in one database. */
export function judgeDatabase(
  database: string,
  isReader: boolean,
  { create, readable, writable, definers }: Rights,
): TargetCheck[] {
  const check = `rights in ${database}`
  const checks: TargetCheck[] = []
  const creates = create.map(({ what, name }) => `${what} ${name}`)
  const writes = namesOf(writable)
  if (Number(readable[0]?.count ?? 0) === 0)
    checks.push(
      warn(check, 'it can read no table', 'sallyport aws prepare prints the privileges; give it those of each schema'),
    )
  if (isReader && creates.length > 0)
    checks.push(
      fail(
        check,
        `it can create objects in ${someOf(creates)}`,
        'run: REVOKE CREATE ON … FROM …, also FROM PUBLIC, which has it in the schema public of PostgreSQL 14 and before',
      ),
    )
  if (isReader && writes.length > 0)
    checks.push(
      fail(check, `it can write ${someOf(writes)}`, 'run: REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON … FROM …'),
    )
  if (isReader && definers.length > 0)
    checks.push(
      warn(
        check,
        `it can call ${someOf(namesOf(definers))}, which run with the rights of their owners (SECURITY DEFINER)`,
        'see that none of them writes, or run: REVOKE EXECUTE ON FUNCTION … FROM PUBLIC',
      ),
    )
  if (checks.length > 0) return checks
  return [
    ok(check, isReader ? 'it can read, and write nothing' : 'it can read; the level is not one for reading alone'),
  ]
}

function namesOf(rows: readonly Row[]): string[] {
  return rows.map(({ name }) => String(name))
}
