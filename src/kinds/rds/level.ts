import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { SessionBudget } from '../../../proxy/session.ts'
import type { Parsed } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'
import { parseDuration, parseSize } from '../../config/units.ts'

/** What an access level means on a database. */
export interface RdsLevel {
  readonly dbUser: string
  /** `*`: all. */
  readonly databases: readonly string[]
  /** 0: none. */
  readonly statementTimeoutMs: number
  /** 0: none. */
  readonly maxRows: number
  readonly isRecordingStrict: boolean
  /** Of one session; null: none. */
  readonly budget: SessionBudget | null
}

/** A week. */
const longestMinutes = 10_080

/** PostgreSQL truncates names to 63 bytes, and would sign in another user. */
const name = { minLength: 1, maxLength: 63 }

const schema = Type.Object(
  {
    db_user: Type.String({
      ...name,
      pattern: '^[A-Za-z_][A-Za-z0-9_$-]*$',
      errorMessage: 'expected the name of a database user that has the role rds_iam, 1–63 letters, digits, _, $ and -',
      description:
        'Database user that signs in to the target; must have the role rds_iam. Its privileges are what the level allows',
      examples: ['sallyport_ro'],
    }),
    databases: Type.Optional(
      Type.Array(Type.String(name), {
        minItems: 1,
        errorMessage: 'expected a list of names of databases, or ["*"]',
        description: 'Databases that may be connected to; *: all of them',
        default: ['*'],
        examples: [['orders']],
      }),
    ),
    statement_timeout: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,8}(ms|s|m|h|d)$',
        patternErrorMessage: 'expected a duration such as 30s',
        description:
          'statement_timeout of the session at its start, unless the client asks for a shorter one; goes over that of the database user. SQL can change it, so it is not a security boundary',
        examples: ['30s'],
      }),
    ),
    max_rows: Type.Optional(
      Type.Integer({
        minimum: 1,
        errorMessage: 'expected a whole number of at least 1',
        description: 'The session is ended when a statement returns more rows',
        examples: [100_000],
      }),
    ),
    max_session_rows: Type.Optional(
      Type.Integer({
        minimum: 1,
        errorMessage: 'expected a whole number of at least 1',
        description:
          'Budget of one session: it is ended when its statements together return more rows. Like the other two not a protection against a patient reader, who may open the next session',
        examples: [1_000_000],
      }),
    ),
    max_session_bytes: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,5}(KB|MB|GB)$',
        patternErrorMessage: 'expected a size such as 500KB, 100MB or 1GB',
        description: 'Budget of one session: it is ended when more bytes have passed, in both directions together',
        examples: ['1GB'],
      }),
    ),
    max_session_minutes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: longestMinutes,
        errorMessage: `expected a whole number of minutes, 1–${longestMinutes}`,
        description: 'Budget of one session: it is ended after so many minutes, even if the grant lasts longer',
        examples: [60],
      }),
    ),
    recording: Type.Optional(
      Type.Union([Type.Literal('prompt'), Type.Literal('strict')], {
        errorMessage: 'expected prompt or strict',
        description:
          'strict: each request is in the recording before it is forwarded, at the cost of one file write per round trip; prompt: within 100 ms',
        default: 'prompt',
        examples: ['strict'],
      }),
    ),
  },
  strict,
)

const words = { noun: 'a database level', mapping: 'expected a mapping with db_user' }

function read(raw: unknown): Parsed<RdsLevel> {
  if (!Value.Check(schema, raw)) return { ok: false, problems: memberProblems(schema, raw, words) }
  const { db_user: dbUser, databases = ['*'], statement_timeout: timeout, max_rows: maxRows = 0, recording } = raw
  return {
    ok: true,
    value: {
      dbUser,
      databases,
      statementTimeoutMs: parseDuration(timeout ?? '') ?? 0,
      maxRows,
      isRecordingStrict: recording === 'strict',
      budget: readBudget(raw),
    },
  }
}

function readBudget(raw: Static<typeof schema>): SessionBudget | null {
  const { max_session_rows: rows = 0, max_session_bytes: size = '', max_session_minutes: minutes = 0 } = raw
  const bytes = parseSize(size) ?? 0
  return rows + bytes + minutes === 0 ? null : { rows, bytes, ms: minutes * 60_000 }
}

export const rdsLevel = { schema, read }
