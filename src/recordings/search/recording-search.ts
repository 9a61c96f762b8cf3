import { isChainLine, longestEntryBytes } from '../recording-scan.ts'
import type { FoundText, TextFinder } from './text-finder.ts'

/** An entry that has the text. */
export interface FoundEntry {
  /** Epoch milliseconds; null: the line is damaged. */
  readonly at: number | null
  /** `query`, `execute` …; `damaged` for a line that is not JSON. */
  readonly type: string
  /** Number of the request within its session. */
  readonly request: number | null
  /** No end of it is on record, or none so far. */
  readonly isRunning: boolean
  /** Of its statement, around the place; of a request to a cluster, its verb and path. */
  readonly sql: string | null
  readonly found: readonly FoundText[]
}

/** Statements that are still running, of which the end may have more to show. */
const mostHeld = 1000
const sqlCharacters = 500

/**
 * The search through one recording, as far as it is written, from an offset at which a line begins. A statement whose beginning and
 * end are on record is found once, at its end.
 */
export class RecordingSearch {
  readonly #finder: TextFinder
  /** By request: the beginning has the text. */
  readonly #held = new Map<number, FoundEntry>()
  #partial: Buffer[] = []
  #partialBytes = 0
  #offset: number

  constructor(offset: number, finder: TextFinder) {
    this.#offset = offset
    this.#finder = finder
  }

  /** Where the next line begins. */
  get offset(): number {
    return this.#offset
  }

  /** Found entries without an end so far. */
  get running(): FoundEntry[] {
    return [...this.#held.values()]
  }

  /** Stops at each entry that it finds; `offset` and `running` hold for that place then. @throws Error for a line that is too long */
  *push(chunk: Buffer): Generator<FoundEntry> {
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const found = this.#take(this.#whole(chunk.subarray(start, end)))
      start = end + 1
      if (found) yield found
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  #keep(piece: Buffer): void {
    this.#partial.push(piece)
    this.#partialBytes += piece.length
    if (this.#partialBytes > longestEntryBytes) throw new Error('a line is longer than an entry can be')
  }

  #whole(piece: Buffer): Buffer {
    if (this.#partial.length === 0) return piece
    const line = Buffer.concat([...this.#partial, piece])
    this.#partial = []
    this.#partialBytes = 0
    return line
  }

  /** @param line without its line feed */
  #take(line: Buffer): FoundEntry | undefined {
    const isHeader = this.#offset === 0
    this.#offset += line.length + 1
    if (isHeader || isChainLine(line)) return undefined
    const json = line.toString('utf8')
    const mayMatch = this.#finder.mayBeIn(json)
    if (!mayMatch && this.#held.size === 0) return undefined
    const entry = parse(json)
    const request = typeof entry?.request === 'number' ? entry.request : null
    const before = this.#ended(request)
    const found = mayMatch ? this.#finder.find(entry ?? { line: json }) : []
    return found.length > 0 ? this.#found(entry, request, found) : before
  }

  #ended(request: number | null): FoundEntry | undefined {
    const before = request === null ? undefined : this.#held.get(request)
    if (request !== null) this.#held.delete(request)
    return before
  }

  #found(entry: Entry | undefined, request: number | null, found: FoundText[]): FoundEntry | undefined {
    const { at, type, begun, sql, verb, path } = entry ?? {}
    // A request to a cluster says what it is by two members.
    const statement = typeof verb === 'string' && typeof path === 'string' ? `${verb} ${path}` : sql
    const match = {
      at: typeof at === 'number' ? at : null,
      type: entry ? String(type ?? '') : 'damaged',
      request,
      isRunning: begun === true,
      sql: typeof statement === 'string' ? this.#finder.excerpt(statement, sqlCharacters) : null,
      found,
    }
    return match.isRunning && request !== null ? this.#hold(request, match) : match
  }

  /** @returns the one that is held for longest, when there are too many */
  #hold(request: number, match: FoundEntry): FoundEntry | undefined {
    this.#held.set(request, match)
    if (this.#held.size <= mostHeld) return undefined
    const [oldest] = this.#held.keys()
    return this.#ended(oldest ?? null)
  }
}

interface Entry {
  readonly at?: unknown
  readonly type?: unknown
  readonly request?: unknown
  readonly begun?: unknown
  readonly sql?: unknown
  readonly verb?: unknown
  readonly path?: unknown
}

const lineFeed = 10

/** Undefined for a line that is damaged. */
function parse(json: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
