/**
 * All rows of a query, page by page: each page begins after the last row of the previous one, and an empty one ends it. While the
 * caller works on one, the next is read.
 */
export async function* pages<Row, Key>(
  start: Key,
  keyOf: (row: Row) => Key,
  read: (after: Key) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[]> {
  let reading = read(start)
  for (;;) {
    const rows = await reading
    const last = rows.at(-1)
    if (last === undefined) return
    reading = read(keyOf(last))
    reading.catch(() => undefined) // thrown when it is awaited; the caller may be done before
    yield rows
  }
}
