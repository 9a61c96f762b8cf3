import type { PreparationStep } from '../../catalog/preparation.ts'
import { forEachPerson, stepsInAws, stepTitle, type UserLevels, usersOf } from '../rds/prepare.ts'
import type { RdsTarget } from '../rds/target.ts'
import type { MysqlLevel } from './level.ts'

/** IAM authentication, and for each database user its account and what the level is for. Running it again changes nothing. */
export function prepareMysql(target: RdsTarget, levels: ReadonlyMap<string, MysqlLevel>): PreparationStep[] {
  const users = usersOf(target, levels, ({ readOnly }) => readOnly)
  return [
    ...stepsInAws(target),
    ...users.map((one): PreparationStep => {
      return {
        what: `${stepTitle(one)}, with mysql as an administrator`,
        levels: one.levels,
        language: 'sql',
        text: statements(one),
      }
    }),
    ...forEachPerson(levels),
  ]
}

/** Neither has EXECUTE: a routine may write, and with the rights of its definer. */
const reading = 'SELECT, SHOW VIEW'
const writing = 'SELECT, SHOW VIEW, INSERT, UPDATE, DELETE'

function statements({ user, databases, coversAll, isReader }: UserLevels): string {
  const account = `${quoteName(user)}@\`%\``
  const rights = isReader ? reading : writing
  return [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;`,
    ...databases.map((database) => `GRANT ${rights} ON ${databasePattern(database)}.* TO ${account};`),
    ...(coversAll
      ? [
          '-- For each other database that the level is for; not ON *.*, which would include the accounts in the database mysql.',
          `-- GRANT ${rights} ON \`DATABASE\`.* TO ${account};`,
        ]
      : []),
    '-- What it may do now. A right that is not above is wider than the level: take it away with REVOKE.',
    `SHOW GRANTS FOR ${account};`,
  ].join('\n')
}

/** In backquotes, since a backslash escapes within quotes, or does not, as sql_mode has it. */
function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** GRANT takes the name of a database as a pattern, where `_` and `%` stand for others. */
function databasePattern(name: string): string {
  return quoteName(name.replaceAll(/[\\_%]/g, '\\$&'))
}
