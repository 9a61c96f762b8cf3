/** A database user of one person: never an administrator's, another level's or another person's. */
import t from 'tap'
import type { RequestableKind } from '../../../../src/catalog/kind.ts'
import type { RdsLevel } from '../../../../src/kinds/rds/level.ts'
import type { RdsTarget } from '../../../../src/kinds/rds/target.ts'
import { rdsMysql } from '../../../../src/kinds/rds-mysql/kind.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'

function levelOf<L>(kind: RequestableKind<RdsTarget, L>, db_user: string): L {
  const read = kind.level.read({ db_user })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.value
}

/** The user that a login name leads to, or why there is none. @param others of further levels */
function userOf<L extends RdsLevel>(
  kind: RequestableKind<RdsTarget, L>,
  db_user: string,
  loginName: string,
  others: string[] = [],
) {
  const all = [db_user, ...others].map((user) => levelOf(kind, user))
  const read = kind.personal?.read(all[0] as L, loginName, all)
  return read?.ok ? read.value.dbUser : read?.problems.map(({ message }) => message).join()
}

const postgres = (...given: [string, string, string[]?]) => userOf(rdsPostgres, ...given)
const mysql = (...given: [string, string, string[]?]) => userOf(rdsMysql, ...given)

t.test('{login} stands once in db_user, at either end or within', async (t) => {
  t.equal(postgres('{login}', 'alice'), 'alice')
  t.equal(postgres('app_{login}', 'alice'), 'app_alice')
  t.equal(mysql('app_{login}_ro', 'a.b_1'), 'app_a.b_1_ro')
  for (const user of ['{login}{login}', '{LOGIN}', '{login', 'login}', '{ login }', '1{login}', '{login} x', '{user}'])
    t.notOk(rdsPostgres.level.read({ db_user: user }).ok, user)
  t.equal(rdsPostgres.personal?.memberOf(levelOf(rdsPostgres, 'app_{login}')), 'db_user')
  t.equal(rdsPostgres.personal?.memberOf(levelOf(rdsPostgres, 'app')), null)
})

t.test('the longest user of each engine, and one more character', async (t) => {
  const name = 'a'.repeat(32)
  t.equal(postgres(`${'p'.repeat(31)}{login}`, name)?.length, 63)
  t.match(postgres(`${'p'.repeat(32)}{login}`, name), /longer than 63/)
  t.equal(mysql('{login}', name), name)
  t.match(mysql('p{login}', name), /longer than 32/)
  for (const [kind, longest] of [
    [rdsPostgres, 63],
    [rdsMysql, 32],
  ] as const) {
    t.ok(kind.level.read({ db_user: 'p'.repeat(longest) }).ok)
    t.notOk(kind.level.read({ db_user: 'p'.repeat(longest + 1) }).ok)
    t.ok(kind.level.read({ db_user: `${'p'.repeat(longest - 1)}{login}` }).ok, 'room for one character')
    t.notOk(kind.level.read({ db_user: `${'p'.repeat(longest)}{login}` }).ok)
  }
})

t.test('names of the engine, of AWS and of administrators are nobody’s', async (t) => {
  const both = ['rdsadmin', 'rds_iam', 'rds_superuser', 'rdsproxyadmin', 'root', 'admin', 'master', 'sallyport']
  for (const name of [...both, 'postgres', 'pg_monitor', 'pg_read_all_data', 'public'])
    t.match(postgres('{login}', name), /is a name of the engine/, name)
  for (const name of [...both, 'mysql.sys', 'mysql.session', 'mariadb.sys', 'event_scheduler'])
    t.match(mysql('{login}', name), /is a name of the engine/, name)
  t.match(postgres('rds{login}', 'admin'), /is a name of the engine/, 'what surrounds it makes none either')
  t.match(postgres('PG_{login}', 'monitor'), /is a name of the engine/)
  t.equal(postgres('app_{login}', 'postgres'), 'app_postgres', 'a prefix keeps them apart')
})

t.test('neither is the user of another level, shared or another person’s', async (t) => {
  t.match(postgres('{login}', 'app_ro', ['app_ro']), /the database user of another level/)
  t.match(postgres('{login}', 'app_ro', ['APP_RO']), /the database user of another level/)
  t.match(postgres('{login}', 'app_bob', ['app_{login}']), /the database user of another level/)
  t.match(mysql('app_{login}', 'bob_ro', ['app_{login}_ro']), /the database user of another level/)
  t.equal(postgres('{login}', 'bob', ['app_{login}']), 'bob')
  t.equal(postgres('app_{login}', 'bob', ['app_{login}', 'other']), 'app_bob', 'two levels may share a person’s user')
  t.equal(postgres('{login}', 'app_', ['app_{login}']), 'app_', 'nobody has an empty login name')
})

t.test('approvers are told which it is', async (t) => {
  const target = { account: '1', resourceId: 'db-1', via: [] as readonly string[] } as RdsTarget
  const level = levelOf(rdsPostgres, 'app_{login}')
  const read = rdsPostgres.personal?.read(level, 'alice', [level])
  t.match(read?.ok && rdsPostgres.limits?.(target, read.value, { aws: { accounts: {} } }), [
    /Signs in as app_alice, .* this person alone/,
  ])
})
