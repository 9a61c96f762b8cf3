import type { MysqlRules } from '../../../proxy/mysql/rules.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { startRds } from '../rds/start.ts'
import { rdsMysql } from './kind.ts'

export async function start(parts: KindParts): Promise<RunningKind> {
  return startRds(
    parts,
    rdsMysql,
    ({ databases, statementTimeoutMs, maxRows, localInfile, readOnly }, { database: defaultDatabase }): MysqlRules => ({
      databases,
      defaultDatabase,
      statementTimeoutMs,
      maxRows,
      localInfile,
      readOnly,
    }),
    async (preflight) => (await import('./validate.ts')).validateMysql(preflight),
  )
}
