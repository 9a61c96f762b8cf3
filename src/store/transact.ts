import type { CompiledQuery } from 'kysely'

/** What a statement of the first part returned. */
export type Rows = readonly unknown[]

/**
 * One transaction, in as few messages to the store as it takes. All of it or nothing.
 * @param first run at once
 * @param rest from what those returned; what it throws rolls back
 */
export type Transact = (
  first: readonly CompiledQuery[],
  rest: (found: readonly Rows[]) => readonly CompiledQuery[],
) => Promise<void>
