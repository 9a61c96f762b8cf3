/** Statements that are run for each session or event: they are built once, and only their parameters each time. */
import type { CompiledQuery } from 'kysely'

/** @param build must give its arguments as the parameters, in their order, and nothing else that varies */
export function compiledOnce<Args extends readonly unknown[], Row>(
  build: (...args: Args) => CompiledQuery<Row>,
): (...args: Args) => CompiledQuery<Row> {
  let compiled: CompiledQuery<Row> | undefined
  return (...args) => {
    compiled ??= requireParameters(build(...args), args)
    return { ...compiled, parameters: args }
  }
}

const mostKept = 100

/**
 * An insert of rows that all have the same columns.
 * @param build of as many rows as it is given
 */
export function insertCompiledOnce<Row extends object>(
  columns: readonly (keyof Row & string)[],
  build: (rows: readonly Row[]) => CompiledQuery,
): (rows: readonly Row[]) => CompiledQuery {
  const compiled = new Map<number, CompiledQuery>()
  return (rows) => {
    const parameters = rows.flatMap((row) => columns.map((column) => row[column]))
    const known = compiled.get(rows.length)
    if (known) return { ...known, parameters }
    const built = requireParameters(build(rows), parameters)
    if (compiled.size < mostKept) compiled.set(rows.length, built)
    return built
  }
}

function requireParameters<Row>(query: CompiledQuery<Row>, expected: readonly unknown[]): CompiledQuery<Row> {
  const { parameters, sql } = query
  if (parameters.length === expected.length && parameters.every((value, i) => value === expected[i])) return query
  throw new Error(`the parameters are not those that were given: ${sql}`)
}
