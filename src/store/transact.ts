import type { CompiledQuery } from 'kysely'

/** What a statement of the first part returned. */
export type Rows = readonly unknown[]

/** One read, in one message to the store with those that are asked for in the same moment. */
export type Read = (query: CompiledQuery) => Promise<Rows>

/**
 * One transaction in one message to the store, for what does not depend on what it reads.
 * @param claims each must return a row, or nothing is written
 * @returns what each of the claims returned
 */
export type TransactAtOnce = (
  claims: readonly CompiledQuery[],
  writes: readonly CompiledQuery[],
) => Promise<readonly Rows[]>

/**
 * One transaction, in as few messages to the store as it takes. All of it or nothing.
 * @param first run at once
 * @param rest from what those returned; what it throws rolls back
 */
export type Transact = (
  first: readonly CompiledQuery[],
  rest: (found: readonly Rows[]) => readonly CompiledQuery[],
) => Promise<void>
