/** Of PostgreSQL, and of SQLite by its number. */
const texts: Readonly<Record<string, string>> = {
  '25006': 'the store is read-only: it is a standby, or default_transaction_read_only is on',
  '53100': 'the disk of the store is full',
  8: 'the store is read-only',
  13: 'the disk of the store is full',
}
const deepest = 5

/** Why a store that answers takes nothing down, as operators are told; undefined when the error says nothing of the kind. */
export function writeProblem(error: unknown): string | undefined {
  let inner = error
  for (let depth = 0; depth < deepest && inner instanceof Error; depth++) {
    const { code, errcode, cause } = inner as Error & { code?: unknown; errcode?: unknown }
    const text = texts[String(errcode ?? code)]
    if (text !== undefined) return text
    inner = cause
  }
  return undefined
}
