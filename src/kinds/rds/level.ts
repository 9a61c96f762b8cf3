import { Type } from 'typebox'
import type { SessionBudget } from '../../../proxy/session.ts'
import { parseDuration } from '../../config/units.ts'
import { type BudgetFile, budgetMembers, readBudget } from '../session-members.ts'
import { placeholder } from './engine-users.ts'

/** What an access level means on a database. */
export interface RdsLevel {
  /** May hold `{login}`, unless the level has been read for one person. */
  readonly dbUser: string
  /** It has been: no one else signs in as this user. */
  readonly isPersonal: boolean
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

/** What differs between the engines. */
export interface LevelWords {
  readonly longestUser: number
  /** Of a database's name. */
  readonly longestDatabase: number
  /** What a database user needs for signing in by IAM, as in "a database user that …". */
  readonly signsIn: string
  readonly databases: string
  readonly statementTimeout: string
}

/** A name, or one with {@link placeholder} that leaves at least one character for it. */
function userPattern(longest: number): string {
  const template = `(?=.{${placeholder.length},${longest - 1 + placeholder.length}}$)(?:[A-Za-z_][A-Za-z0-9_$-]*)?\\{login\\}[A-Za-z0-9_$-]*`
  return `^(?:[A-Za-z_][A-Za-z0-9_$-]{0,${longest - 1}}|${template})$`
}

/** Members of the levels of every engine. */
export const levelMembers = ({ longestUser, longestDatabase, signsIn, databases, statementTimeout }: LevelWords) => ({
  db_user: Type.String({
    minLength: 1,
    maxLength: longestUser - 1 + placeholder.length,
    pattern: userPattern(longestUser),
    errorMessage: `expected the name of a database user that ${signsIn}, 1–${longestUser} letters, digits, _, $ and -, with {login} at most once`,
    description: `Database user that signs in to the target: one that ${signsIn}. Its privileges are what the level allows. {login} in it stands for the login name of the person, who then has a user of their own, as in app_{login}: needs oidc.login_claim`,
    examples: ['sallyport_ro'],
  }),
  databases: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: longestDatabase }), {
      minItems: 1,
      errorMessage: 'expected a list of names of databases, or ["*"]',
      description: databases,
      default: ['*'],
      examples: [['orders']],
    }),
  ),
  statement_timeout: Type.Optional(
    Type.String({
      pattern: '^[0-9]{1,8}(ms|s|m|h|d)$',
      patternErrorMessage: 'expected a duration such as 30s',
      description: statementTimeout,
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
  ...budgetMembers,
  recording: Type.Optional(
    Type.Union([Type.Literal('prompt'), Type.Literal('strict')], {
      errorMessage: 'expected prompt or strict',
      description:
        'strict: each request is in the recording before it is forwarded, at the cost of one file write per round trip; prompt: within 100 ms',
      default: 'prompt',
      examples: ['strict'],
    }),
  ),
})

export const levelProblemWords = { noun: 'a database level', mapping: 'expected a mapping with db_user' }

/** As {@link levelMembers} has them. */
interface LevelFile extends BudgetFile {
  readonly db_user: string
  readonly databases?: readonly string[]
  readonly statement_timeout?: string
  readonly max_rows?: number
  readonly max_session_rows?: number
  readonly recording?: 'prompt' | 'strict'
}

export function readLevel(raw: LevelFile): RdsLevel {
  const { db_user: dbUser, databases = ['*'], statement_timeout: timeout, max_rows: maxRows = 0, recording } = raw
  return {
    dbUser,
    isPersonal: false,
    databases,
    statementTimeoutMs: parseDuration(timeout ?? '') ?? 0,
    maxRows,
    isRecordingStrict: recording === 'strict',
    budget: readBudget(raw, raw.max_session_rows),
  }
}
