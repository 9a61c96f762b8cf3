import { redactError } from '../../recording/redact.ts'
import type { StatementError } from '../../recording/statement-entry.ts'
import { postgresDialect } from '../sql/find-secrets.ts'
import type { Names } from './names.ts'
import type { ClientRequest } from './pending.ts'

/** An error as it is recorded: without the secrets of its statement, and without the place, which tells how long they are. */
export function shownError(error: StatementError, request: ClientRequest, names: Names): StatementError {
  const { texts, isCut } = knownOf(request, names)
  const message = redactError(error.message, texts, isCut, postgresDialect.errorQuote)
  return texts.length === 0 && message === error.message ? error : { code: error.code, message }
}

function knownOf(request: ClientRequest, names: Names): { texts: readonly string[]; isCut: boolean } {
  switch (request.kind) {
    case 'query':
    case 'parse':
      return { texts: request.sql.secrets?.texts ?? [], isCut: request.sql.cut !== undefined }
    case 'bind': {
      const statement = names.statement(request.statement)
      return { texts: [...textsOf(statement?.sql), ...request.values.secretTexts(statement)], isCut: false }
    }
    case 'execute': {
      const portal = names.portal(request.portal)
      return { texts: [...textsOf(portal?.statement?.sql), ...(portal?.secretTexts ?? [])], isCut: false }
    }
    case 'function-call':
      return { texts: request.values.secretTexts(), isCut: false }
    case 'describe':
      return { texts: textsOf(names.statement(request.name)?.sql), isCut: false }
    default:
      return { texts: [], isCut: false }
  }
}

function textsOf(sql: { readonly secrets?: { readonly texts: readonly string[] } } | undefined): readonly string[] {
  return sql?.secrets?.texts ?? []
}
