import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { LevelForm } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'
import { postgresUsers } from '../rds/engine-users.ts'
import { levelMembers, levelProblemWords, type RdsLevel, readLevel } from '../rds/level.ts'

const schema = Type.Object(
  levelMembers({
    longestUser: postgresUsers.longestUser,
    longestDatabase: 63,
    signsIn: 'has the role rds_iam',
    databases: 'Databases that may be connected to; *: all of them',
    statementTimeout:
      'statement_timeout of the session at its start, unless the client asks for a shorter one; goes over that of the database user. SQL can change it, so it is not a security boundary',
  }),
  strict,
)

export const postgresLevel: LevelForm<RdsLevel> = {
  schema,
  read: (raw) =>
    Value.Check(schema, raw)
      ? { ok: true, value: readLevel(raw) }
      : { ok: false, problems: memberProblems(schema, raw, levelProblemWords) },
}
