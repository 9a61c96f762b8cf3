import type { PreparationStep } from '../../catalog/preparation.ts'
import type { RdsLevel } from '../rds/level.ts'
import { forEachPerson, stepsInAws, stepTitle, type UserLevels, usersOf } from '../rds/prepare.ts'
import type { RdsTarget } from '../rds/target.ts'

/** IAM authentication, and for each database user its role and what the level is for. Running it again changes nothing. */
export function preparePostgres(target: RdsTarget, levels: ReadonlyMap<string, RdsLevel>): PreparationStep[] {
  const users = usersOf(target, levels)
  return [
    ...stepsInAws(target),
    ...users.map((one): PreparationStep => {
      return {
        what: `${stepTitle(one)}, with psql as an administrator`,
        levels: one.levels,
        language: 'sql',
        text: statements(one),
      }
    }),
    ...forEachPerson(levels),
  ]
}

function statements({ user, databases, isReader }: UserLevels): string {
  const role = quoteName(user)
  const tables = isReader ? 'SELECT' : 'SELECT, INSERT, UPDATE, DELETE'
  const sequences = isReader ? 'SELECT' : 'USAGE, SELECT'
  return [
    // Names of users have neither a quote nor a backslash.
    `DO 'BEGIN CREATE ROLE ${role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END';`,
    `GRANT rds_iam TO ${role};`,
    ...(isReader
      ? [
          '-- A guard against mistakes, which SQL can change; what keeps writes out are the privileges.',
          `ALTER ROLE ${role} SET default_transaction_read_only = on;`,
        ]
      : []),
    ...databases.flatMap((database) => [
      '',
      `\\connect ${quoteName(database)}`,
      `GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${role};`,
      '-- For each schema that the level is for. The last two are for what the role that runs them makes from now on.',
      `GRANT USAGE ON SCHEMA public TO ${role};`,
      `GRANT ${tables} ON ALL TABLES IN SCHEMA public TO ${role};`,
      `GRANT ${sequences} ON ALL SEQUENCES IN SCHEMA public TO ${role};`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ${tables} ON TABLES TO ${role};`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ${sequences} ON SEQUENCES TO ${role};`,
    ]),
  ].join('\n')
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
