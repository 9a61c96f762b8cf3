/** By the codes of PostgreSQL, and those that the thread of the SQLite store gives. */
const texts: Readonly<Record<string, string>> = {
  '25006': 'the store is read-only: it is a standby, or default_transaction_read_only is on',
  '53100': 'the disk of the store is full',
  SQLITE_8: 'the store is read-only',
  SQLITE_13: 'the disk of the store is full',
}
const deepest = 5

/** Why a store that answers takes nothing down, as operators are told; undefined when the error says nothing of the kind. */
export function writeProblem(error: unknown): string | undefined {
  let inner = error
  for (let depth = 0; depth < deepest && inner instanceof Error; depth++) {
    const { code, cause } = inner as Error & { code?: unknown }
    const text = texts[String(code)]
    if (text !== undefined) return text
    inner = cause
  }
  return undefined
}
