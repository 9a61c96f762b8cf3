import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { redactSpans } from '../../proxy/recording/redact.ts'

/** A statement as it is recorded. @param size of the pieces in which it is read */
export function redacted(
  text: string,
  backslashes: boolean | 'unknown' = 'unknown',
  size = Number.POSITIVE_INFINITY,
): string {
  const bytes = Buffer.from(text)
  const finder = postgresDialect.findSecrets({ backslashes })
  for (let at = 0; at < bytes.length; at += size) finder.feed(bytes, at, Math.min(at + size, bytes.length))
  return redactSpans(bytes, finder.finish().spans)
}
