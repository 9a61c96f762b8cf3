import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Parsed } from '../../catalog/kind.ts'
import { levelProblems } from '../../catalog/level-problems.ts'
import { parseDuration } from '../../config/units.ts'

/** What an access level means on a database. */
export interface RdsLevel {
  readonly dbUser: string
  /** `*`: all. */
  readonly databases: readonly string[]
  /** 0: none. */
  readonly statementTimeoutMs: number
  /** 0: none. */
  readonly maxRows: number
}

/** PostgreSQL cuts names at 63 bytes, and would sign in somebody else. */
const name = { minLength: 1, maxLength: 63 }

const LevelSchema = Type.Object(
  {
    db_user: Type.String({ ...name, pattern: '^[A-Za-z_][A-Za-z0-9_$-]*$' }),
    databases: Type.Optional(Type.Array(Type.String(name), { minItems: 1 })),
    statement_timeout: Type.Optional(Type.String({ pattern: '^[0-9]{1,8}(ms|s|m|h|d)$' })),
    max_rows: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)

const expected: Readonly<Record<string, string>> = {
  db_user: 'expected the name of a database user that has the role rds_iam, 1–63 letters, digits, _, $ and -',
  databases: 'expected a list of names of databases, or ["*"]',
  statement_timeout: 'expected a duration such as 30s',
  max_rows: 'expected a whole number of at least 1',
}

const words = { noun: 'a database level', mapping: 'expected a mapping with db_user' }

export function parseLevel(raw: unknown): Parsed<RdsLevel> {
  if (!Value.Check(LevelSchema, raw)) return { ok: false, problems: levelProblems(LevelSchema, raw, expected, words) }
  const { db_user: dbUser, databases = ['*'], statement_timeout: timeout, max_rows: maxRows = 0 } = raw
  return {
    ok: true,
    value: { dbUser, databases, statementTimeoutMs: parseDuration(timeout ?? '') ?? 0, maxRows },
  }
}
