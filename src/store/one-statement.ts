import type { CompiledQuery } from 'kysely'

/** PostgreSQL takes 65,535. */
const mostParameters = 30_000

/**
 * Writes to PostgreSQL as one statement, which costs both sides less than one message for each: all but the last become parts of its
 * WITH clause.
 * @param queries of tables of their own, since none sees what another writes, and their order is not kept
 * @returns as they were, when they are too much for one
 */
export function asOneStatement(queries: readonly CompiledQuery[]): readonly CompiledQuery[] {
  const last = queries.at(-1)
  const parameters = queries.flatMap((query) => query.parameters)
  if (!last || queries.length === 1 || parameters.length > mostParameters) return queries
  let before = 0
  const texts = queries.map((query) => {
    const offset = before
    before += query.parameters.length
    return offset === 0 ? query.sql : query.sql.replaceAll(/\$(\d+)/g, (_, number) => `$${Number(number) + offset}`)
  })
  const parts = texts.slice(0, -1).map((text, i) => `w${i} as (${text})`)
  return [{ ...last, sql: `with ${parts.join(', ')} ${texts.at(-1)}`, parameters }]
}
