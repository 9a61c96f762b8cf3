import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { LevelForm } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'
import { mysqlUsers } from '../rds/engine-users.ts'
import { levelMembers, levelProblemWords, type RdsLevel, readLevel } from '../rds/level.ts'

/** What an access level means on a MySQL or MariaDB database. */
export interface MysqlLevel extends RdsLevel {
  readonly localInfile: boolean
  readonly readOnly: boolean
}

const schema = Type.Object(
  {
    ...levelMembers({
      longestUser: mysqlUsers.longestUser,
      longestDatabase: 64,
      signsIn: 'is identified with AWSAuthenticationPlugin',
      databases:
        'Databases that may be chosen at the sign-in; *: all of them. A statement can name any other as DATABASE.TABLE, so the privileges of the database user must say the same',
      statementTimeout:
        'Time limit of statements from the start of the session on: max_execution_time, which limits SELECT alone, or max_statement_time on MariaDB. SQL can change it, so it is not a security boundary',
    }),
    local_infile: Type.Optional(
      Type.Boolean({
        errorMessage: 'expected true or false',
        description:
          "LOAD DATA LOCAL INFILE may be used: the server then reads a file of the client's machine, as the statement names it",
        default: false,
      }),
    ),
    read_only: Type.Optional(
      Type.Boolean({
        errorMessage: 'expected true or false',
        description:
          'Transactions are read-only unless SQL asks for others: a guard against mistakes. What keeps writes out are the privileges of the database user',
        default: false,
      }),
    ),
  },
  strict,
)

export const mysqlLevel: LevelForm<MysqlLevel> = {
  schema,
  read: (raw) => {
    if (!Value.Check(schema, raw)) return { ok: false, problems: memberProblems(schema, raw, levelProblemWords) }
    const { local_infile: localInfile = false, read_only: readOnly = false } = raw
    return { ok: true, value: { ...readLevel(raw), localInfile, readOnly } }
  },
}
