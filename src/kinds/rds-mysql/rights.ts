/** What a database user of MySQL or MariaDB may do, and what of it goes beyond its level. Judgement alone. */
import type { TargetCheck } from '../../contract/aws.ts'
import { fail, ok, someOf, warn } from '../checks.ts'
import { type HeldGrant, type HeldGrants, isPatternOf, namedBy } from './grants.ts'

export interface LevelFor {
  readonly user: string
  /** `*`: all. */
  readonly databases: readonly string[]
  readonly isReader: boolean
}

const reading = new Set(['SELECT', 'SHOW VIEW', 'SHOW CREATE ROUTINE'])
/** They change no data by themselves. */
const nearlyReading = new Set(['LOCK TABLES', 'CREATE TEMPORARY TABLES', 'CREATE TEMPORARY', 'EXECUTE'])
/** Global ones that show nothing of the data, and change none. */
const harmlessEverywhere = new Set(['SHOW DATABASES'])
const ofData = new Set([
  ...reading,
  ...nearlyReading,
  ...[
    'INSERT',
    'UPDATE',
    'DELETE',
    'CREATE',
    'DROP',
    'ALTER',
    'INDEX',
    'REFERENCES',
    'CREATE VIEW',
    'TRIGGER',
    'EVENT',
  ],
  ...['CREATE ROUTINE', 'ALTER ROUTINE', 'DELETE HISTORY'],
])
const ofServer = new Set(['mysql', 'sys', 'performance_schema'])

export function judgeGrants({ grants, roles, isProxy, unread }: HeldGrants, level: LevelFor): TargetCheck[] {
  const checks = [
    ...judgeServerWide(grants, level),
    ...judgeGrantOption(grants, isProxy, level),
    ...judgeDatabases(grants, level),
    ...judgeReader(grants, level),
    ...judgeRoles(roles, level),
  ]
  if (unread > 0)
    checks.push(warn('rights', `${unread} lines of SHOW GRANTS have a form that is not known`, 'look at them yourself'))
  const isRight = checks.every(({ outcome }) => outcome === 'ok')
  return isRight
    ? [...checks, ok('rights', level.isReader ? 'it can read, and write nothing' : 'none beyond the data')]
    : checks
}

/** Privileges of the server: other people's statements, its files, its accounts. */
function judgeServerWide(grants: readonly HeldGrant[], { user }: LevelFor): TargetCheck[] {
  const held = grants.filter(({ scope }) => scope === 'global').flatMap(({ privileges }) => privileges)
  const ofTheServer = held.filter((privilege) => !ofData.has(privilege) && !harmlessEverywhere.has(privilege))
  const everywhere = held.filter((privilege) => ofData.has(privilege))
  const checks: TargetCheck[] = []
  if (ofTheServer.length > 0)
    checks.push(
      fail(
        'rights of the server',
        `it has ${ofTheServer.join(', ')}, which is wider than any level`,
        `run: REVOKE ${ofTheServer.join(', ')} ON *.* FROM ${user}`,
      ),
    )
  if (everywhere.length > 0)
    checks.push(
      fail(
        'rights of the server',
        `it has ${everywhere.join(', ')} on *.*, which includes the accounts in the database mysql`,
        `give it the databases of the level instead, and run: REVOKE ${everywhere.join(', ')} ON *.* FROM ${user}`,
      ),
    )
  return checks
}

function judgeGrantOption(grants: readonly HeldGrant[], isProxy: boolean, { user }: LevelFor): TargetCheck[] {
  const checks: TargetCheck[] = []
  const mayGrant = grants.some((grant) => grant.mayGrant || grant.privileges.includes('GRANT OPTION'))
  if (mayGrant)
    checks.push(
      fail('rights', 'it may give its rights to others (GRANT OPTION)', `run: REVOKE GRANT OPTION … FROM ${user}`),
    )
  if (isProxy)
    checks.push(fail('rights', 'it may act as another account (PROXY)', `run: REVOKE PROXY ON … FROM ${user}`))
  return checks
}

function judgeDatabases(grants: readonly HeldGrant[], { user, databases }: LevelFor): TargetCheck[] {
  const named = databases.filter((name) => name !== '*')
  const isAll = databases.includes('*')
  const inDatabases = grants.filter(({ scope, privileges }) => scope !== 'global' && privileges.length > 0)
  const checks: TargetCheck[] = []
  const readable = (name: string) =>
    grants.some(
      ({ scope, database, privileges }) =>
        (scope === 'global' || isPatternOf(database, name)) &&
        privileges.some((privilege) => privilege === 'SELECT' || privilege.startsWith('ALL')),
    )
  const missing = named.filter((name) => !readable(name))
  if (missing.length > 0)
    checks.push(
      fail('databases', `it can read nothing in ${someOf(missing)}`, `run: GRANT SELECT, SHOW VIEW ON … TO ${user}`),
    )
  if (isAll && named.length === 0 && !grants.some(({ privileges }) => privileges.length > 0))
    checks.push(fail('databases', 'it has no right on any database', `run: GRANT SELECT, SHOW VIEW ON … TO ${user}`))
  const beyond = inDatabases.filter(({ database }) => {
    const { name, isWide } = namedBy(database)
    return ofServer.has(name) || (!isAll && (isWide || !named.includes(name)))
  })
  if (beyond.length > 0)
    checks.push(
      fail(
        'databases',
        `it has rights on ${someOf([...new Set(beyond.map(({ database }) => namedBy(database).name))])}, which the level does not name`,
        `run: REVOKE ALL PRIVILEGES ON … FROM ${user}; in GRANT, _ and % stand for any character, unless a backslash is before them`,
      ),
    )
  if (checks.length > 0) return checks
  return [ok('databases', isAll ? 'the level covers all' : `it can read ${someOf(named)}, and no other`)]
}

function judgeReader(grants: readonly HeldGrant[], { user, isReader }: LevelFor): TargetCheck[] {
  if (!isReader) return []
  const held = [...new Set(grants.filter(({ scope }) => scope !== 'global').flatMap(({ privileges }) => privileges))]
  const writing = held.filter(
    (privilege) => !reading.has(privilege) && !nearlyReading.has(privilege) && privilege !== 'GRANT OPTION',
  )
  const near = held.filter((privilege) => nearlyReading.has(privilege))
  const checks: TargetCheck[] = []
  if (writing.length > 0)
    checks.push(
      fail(
        'rights',
        `it has ${writing.join(', ')}, and the level is for reading`,
        `run: REVOKE ${writing.join(', ')} ON … FROM ${user}`,
      ),
    )
  if (near.length > 0)
    checks.push(
      warn(
        'rights',
        `it has ${near.join(', ')}: a routine may write with the rights of its definer, and a lock keeps others from writing`,
        `run, unless the level needs it: REVOKE ${near.join(', ')} ON … FROM ${user}`,
      ),
    )
  return checks
}

function judgeRoles(roles: readonly string[], { user }: LevelFor): TargetCheck[] {
  if (roles.length === 0) return []
  return [
    warn(
      'roles',
      `it may take on ${someOf(roles)}, whose rights are not counted here`,
      `give it the rights themselves, and run: REVOKE ${roles.join(', ')} FROM ${user}`,
    ),
  ]
}

/** @param shown of SHOW CREATE USER; undefined: the server does not show it */
export function judgeAccount(shown: string | undefined, user: string): TargetCheck[] {
  if (shown === undefined)
    return [warn('REQUIRE SSL', 'the server does not show the account', `run: ALTER USER ${user} REQUIRE SSL`)]
  if (/\bREQUIRE (SSL|X509|SUBJECT|ISSUER|CIPHER)\b/.test(shown))
    return [ok('REQUIRE SSL', 'the account takes TLS alone')]
  return [
    warn(
      'REQUIRE SSL',
      'the account may sign in without TLS, where a token crosses the network in clear text',
      `run: ALTER USER ${user} REQUIRE SSL`,
    ),
  ]
}
