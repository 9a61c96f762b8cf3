/** What was done in sessions, by what their recordings say. Judgement alone. */

/** Counts, of one session or several. */
export interface RecordedUse {
  /** Statements, or requests to a cluster, those that failed or were refused as well. */
  readonly requests: number
  /** Of them, those that read. */
  readonly reads: number
  /** Of them, those that changed something, or may have. */
  readonly writes: number
  /** Returned by statements. */
  readonly rows: number
}

export const noUse: RecordedUse = { requests: 0, reads: 0, writes: 0, rows: 0 }

export function addUse(a: RecordedUse, b: RecordedUse): RecordedUse {
  return {
    requests: a.requests + b.requests,
    reads: a.reads + b.reads,
    writes: a.writes + b.writes,
    rows: a.rows + b.rows,
  }
}

interface Entry {
  readonly type?: unknown
  readonly begun?: unknown
  readonly unsent?: unknown
  readonly sql?: unknown
  readonly tags?: unknown
  readonly rows?: unknown
  readonly error?: unknown
  readonly verb?: unknown
  readonly refused?: unknown
  readonly copyIn?: unknown
}

/** @param entry a line of a recording, of any kind; what is no statement and no request counts as nothing */
export function useOfEntry(entry: unknown): RecordedUse {
  if (typeof entry !== 'object' || entry === null) return noUse
  const said: Entry = entry
  // Of what was begun another entry follows, when it has ended.
  if (said.begun === true || said.unsent === true) return noUse
  if (said.type === 'request') return useOfRequest(said)
  if (said.type === 'query' || said.type === 'execute' || said.type === 'function-call') return useOfStatements(said)
  return said.type === 'fetch' ? { ...noUse, rows: rowsOf(said) } : noUse
}

const readingVerbs: readonly unknown[] = ['get', 'head', 'list', 'watch']

function useOfRequest({ verb, refused }: Entry): RecordedUse {
  if (refused !== undefined) return { ...noUse, requests: 1 }
  return { ...noUse, requests: 1, ...(readingVerbs.includes(verb) ? { reads: 1 } : { writes: 1 }) }
}

function useOfStatements(entry: Entry): RecordedUse {
  const { type, sql, tags, copyIn } = entry
  const text = typeof sql === 'string' ? sql : ''
  const completed = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : []
  const effects = completed.map((tag) => (copyIn === undefined ? effectOf(tag, text) : 'write'))
  // What a function does is not on record.
  if (type === 'function-call' && entry.error === undefined) effects.push('write')
  return {
    requests: Math.max(1, effects.length),
    reads: effects.filter((effect) => effect === 'read').length,
    writes: effects.filter((effect) => effect === 'write').length,
    rows: rowsOf(entry),
  }
}

function rowsOf({ rows }: Entry): number {
  return typeof rows === 'number' && rows > 0 ? rows : 0
}

const reading = /^(?:SELECT|FETCH|SHOW|EXPLAIN|MOVE|COPY|ROWS|DESCRIBE|DESC|TABLE|VALUES)$/
/** Of the session itself, or without an effect once it has ended. */
const neutral =
  /^(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|SET|RESET|DISCARD|DEALLOCATE|PREPARE|DECLARE|CLOSE|LISTEN|UNLISTEN|USE|LOCK|UNLOCK)$/
/** A result may come from a statement that changes something: WITH … DELETE, SELECT … INTO, SELECT … FOR UPDATE. */
const changing = /\b(?:insert|update|delete|merge|replace|into|call)\b/i

/**
 * What one statement has done.
 * @param tag as its server called it: `SELECT 5` and `UPDATE 1` of PostgreSQL; of MySQL `ROWS 5` for a result and `OK 1` for the rows that were
 * changed
 * @param sql of the whole query, which may have several statements
 */
function effectOf(tag: string, sql: string): 'read' | 'write' | 'none' {
  const [word = ''] = /^[A-Z]+/.exec(tag) ?? []
  const isOk = word === 'OK'
  const verb = isOk ? firstWord(sql) : word
  // MySQL does not say which of several statements it was.
  if (neutral.test(verb)) return isOk && changing.test(sql) ? 'write' : 'none'
  return reading.test(verb) && !changing.test(sql) ? 'read' : 'write'
}

/** In upper case, behind comments. */
function firstWord(sql: string): string {
  const [word = ''] = /[A-Za-z]+/.exec(sql.replaceAll(/\/\*.*?\*\/|^\s*(?:--|#).*$/gms, '')) ?? []
  return word.toUpperCase()
}
