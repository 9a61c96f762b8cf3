import { redactError } from '../../recording/redact.ts'
import { type Incomplete, type StatementError, sqlOf } from '../../recording/statement-entry.ts'
import type { EntryText } from '../../recording/usual-entry.ts'
import { mysqlDialect } from '../sql/find-secrets.ts'
import type { Pending, Request } from './pending.ts'
import type { Prepared } from './prepared.ts'
import { toUsualEntry } from './usual-entry.ts'

/**
 * One line of JSON, of the same shape as for other engines. Beside those: `fetch` of a cursor, and `command` with its name and what
 * it names. `statement` is the server's number. `refused`: the broker answered it. `database`: the current one is that from now on.
 */
export function toEntry(pending: Pending, seconds: number, how?: Incomplete | 'refused'): EntryText {
  const usual = how === undefined ? toUsualEntry(pending, seconds) : undefined
  return usual ?? { text: toFullEntry(pending, seconds, how), isPlain: false }
}

function toFullEntry(pending: Pending, seconds: number, how?: Incomplete | 'refused'): string {
  const { at, number, rows, tags, database, copyIn, error, request } = pending
  return JSON.stringify({
    at,
    ...describe(request),
    request: number === 0 ? undefined : number,
    ms: Math.round(seconds * 1e6) / 1e3,
    rows,
    tags: tags.length > 0 ? tags : undefined,
    database,
    error: error && shownError(error, request),
    copyIn,
    ...(how ? { [how]: true } : undefined),
  })
}

/** One line of JSON for a request that still runs. */
export function toBegunEntry({ at, number, request }: Pending): string {
  return JSON.stringify({ at, ...describe(request), request: number, begun: true })
}

/** One line of JSON for a statement that was prepared and never executed. */
export function toUnrunEntry({ at, id, sql }: Prepared): string {
  return JSON.stringify({ at, type: 'parse', statement: String(id), ...sqlOf(sql), ms: 0, rows: 0 })
}

function describe(request: Request): object {
  switch (request.kind) {
    case 'query':
    case 'parse':
      return { type: request.kind, ...sqlOf(request.sql) }
    case 'execute': {
      const { bound, cut } = request
      return {
        type: 'execute',
        ...prepared(bound.statement, bound.id),
        values: bound.record(),
        valuesCut: cut ?? bound.unread,
      }
    }
    case 'fetch':
      return { type: 'fetch', ...prepared(request.statement, request.id) }
    case 'reset':
      return { type: 'command', command: 'STMT_RESET', detail: String(request.id) }
    case 'command':
      return { type: 'command', command: request.name, detail: request.detail }
    case 'ping':
      return { type: 'command', command: 'PING' }
  }
}

function prepared(statement: Prepared | undefined, id: number): object {
  return { statement: String(statement?.id ?? id), ...sqlOf(statement?.sql) }
}

/** Without the secrets of its statement. */
function shownError(error: StatementError, request: Request): StatementError {
  const { texts, isCut } = knownOf(request)
  return { ...error, message: redactError(error.message, texts, isCut, mysqlDialect.errorQuote) }
}

function knownOf(request: Request): { texts: readonly string[]; isCut: boolean } {
  switch (request.kind) {
    case 'query':
    case 'parse':
      return { texts: request.sql.secrets?.texts ?? [], isCut: request.sql.cut !== undefined }
    case 'execute': {
      const { bound } = request
      return { texts: [...(bound.statement?.sql.secrets?.texts ?? []), ...bound.secretTexts()], isCut: false }
    }
    default:
      return { texts: [], isCut: false }
  }
}
