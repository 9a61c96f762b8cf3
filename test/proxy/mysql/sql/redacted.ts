import { mysqlDialect } from '../../../../proxy/mysql/sql/find-secrets.ts'
import type { MysqlMode } from '../../../../proxy/mysql/sql/reading.ts'
import { redactSpans } from '../../../../proxy/recording/redact.ts'

export const mariaDb: MysqlMode = {
  ...{ backslashes: true, ansiQuotes: false },
  version: '5.5.5-10.11.19-MariaDB',
}
export const mysql8: MysqlMode = { ...mariaDb, version: '8.0.36' }
export const unknown: MysqlMode = { backslashes: 'unknown' }

/** @param size of the pieces in which the text is read */
export function find(sql: string | Buffer, mode: MysqlMode, size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(sql as string)
  const finder = mysqlDialect.findSecrets(mode)
  for (let at = 0; at < bytes.length; at += size) finder.feed(bytes, at, Math.min(at + size, bytes.length))
  const secrets = finder.finish()
  return { ...secrets, steps: finder.steps, text: redactSpans(bytes, secrets.spans) }
}

/** A statement as it is recorded. */
export function redacted(sql: string | Buffer, mode: MysqlMode): string {
  return find(sql, mode).text
}
