import type { PostgresRules } from '../../../proxy/postgres/rules.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { startRds } from '../rds/start.ts'
import { rdsPostgres } from './kind.ts'

export async function start(parts: KindParts): Promise<RunningKind> {
  return startRds(
    parts,
    rdsPostgres,
    ({ databases, statementTimeoutMs, maxRows }, { database: defaultDatabase }): PostgresRules => ({
      databases,
      defaultDatabase,
      statementTimeoutMs,
      maxRows,
    }),
    async (preflight) => (await import('./validate.ts')).validatePostgres(preflight),
  )
}
