import type { SessionPermit } from '../../session.ts'
import { parseMilliseconds } from '../../wire/postgres/setting-values.ts'
import type { PostgresRules } from '../rules.ts'
import type { PostgresClient } from '../sign-in/client.ts'

/** PostgreSQL truncates names to 63 bytes. */
const longestName = 63
const endingTimeoutMs = 3000

/** Startup parameters of the upstream session: those that the client may set, and the broker's own. */
export function upstreamParameters(
  client: Pick<PostgresClient, 'parameters'>,
  permit: Pick<SessionPermit, 'sessionId' | 'principalName'>,
  as: { readonly user: string; readonly database: string },
  rules: Pick<PostgresRules, 'statementTimeoutMs'>,
): Map<string, string> {
  const parameters = new Map(client.parameters)
  const timeout = statementTimeout(rules.statementTimeoutMs, client.parameters.get('statement_timeout'))
  if (timeout !== undefined) parameters.set('statement_timeout', timeout)
  return parameters
    .set('user', as.user)
    .set('database', as.database)
    .set('application_name', applicationName(permit.sessionId, permit.principalName))
}

/** Of the second connection, which ends what a session left running. */
export function endingParameters(sessionId: string, user: string, database: string): Map<string, string> {
  return new Map([
    ['user', user],
    ['database', database],
    ['application_name', applicationName(sessionId, 'ending')],
    ['statement_timeout', String(endingTimeoutMs)],
  ])
}

/** Links pg_stat_activity and the server's log to ours: `sallyport:<session>:<person>`, printable ASCII. */
export function applicationName(sessionId: string, person: string): string {
  return `sallyport:${sessionId}:${person}`.replace(/[^\x20-\x7e]/g, '?').slice(0, longestName)
}

/** The smaller of the level's limit and what the client asked for, in milliseconds; 0 means none in both. */
function statementTimeout(limitMs: number, asked: string | undefined): string | undefined {
  if (limitMs === 0) return asked
  const ms = parseMilliseconds(asked ?? '') ?? 0
  return String(ms > 0 ? Math.min(ms, limitMs) : limitMs)
}
