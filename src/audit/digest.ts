import { createHash } from 'node:crypto'
import { sortedJson } from './canonical.ts'

/** Hex SHA-256 of {@link sortedJson}. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(sortedJson(value)).digest('hex')
}
