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
  const compiled = keptBy<number>()
  return (rows) => {
    const parameters = rows.flatMap((row) => columns.map((column) => row[column]))
    return compiled(rows.length, parameters, () => build(rows))
  }
}

/**
 * Of values by column, and perhaps a condition: built once for each list of columns.
 * @param build must give the values as the parameters, in their order, then the rest, and nothing else that varies
 */
export function columnsCompiledOnce<Values extends object, Rest extends readonly unknown[]>(
  build: (values: Values, ...rest: Rest) => CompiledQuery,
): (values: Values, ...rest: Rest) => CompiledQuery {
  const compiled = keptBy<string>()
  return (values, ...rest) =>
    compiled(Object.keys(values).join(), [...Object.values(values), ...rest], () => build(values, ...rest))
}

/** Statements by what of them varies, besides their parameters. */
function keptBy<Key>(): (key: Key, parameters: readonly unknown[], build: () => CompiledQuery) => CompiledQuery {
  const compiled = new Map<Key, CompiledQuery>()
  return (key, parameters, build) => {
    const known = compiled.get(key)
    if (known) return { ...known, parameters }
    const built = requireParameters(build(), parameters)
    if (compiled.size < mostKept) compiled.set(key, built)
    return built
  }
}

function requireParameters<Row>(query: CompiledQuery<Row>, expected: readonly unknown[]): CompiledQuery<Row> {
  const { parameters, sql } = query
  if (parameters.length === expected.length && parameters.every((value, i) => value === expected[i])) return query
  throw new Error(`the parameters are not those that were given: ${sql}`)
}
