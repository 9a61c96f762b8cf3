/**
 * The exported log, one JSON document a line: `export` (what it is and where it ends), every `checkpoint`, every `event`
 * with the text beside it, `end`. Complete enough to be verified without the store.
 */
import type { AuditStore, CheckpointRow, StoredEvent } from './audit-store.ts'
import { checkpointLine, openBody, parseCheckpointLine } from './checkpoint.ts'
import type { Head } from './head.ts'
import { storedCheckpoints, storedEvents } from './stored-pages.ts'
import type { Problem } from './verify/problem.ts'
import type { AuditSource } from './verify/verify.ts'

const columns = ['seq', 'at', 'type', 'actor', 'body', 'text_digest', 'prev_hash', 'hash', 'salt', 'text'] as const

/** Everything up to the head as it is at the first line. */
export async function* exportLines(store: AuditStore): AsyncGenerator<string> {
  const { installation, seq, hash } = await store.head()
  yield JSON.stringify({ export: { v: 1, installation, seq, hash } })
  yield* checkpointLines(store, seq)
  // Fewer come than the head promised when the log is damaged: `verify` says so.
  for await (const rows of storedEvents(store, seq))
    for (const row of rows) if (row.seq <= seq) yield JSON.stringify({ event: pick(row) })
  yield JSON.stringify({ end: { seq, hash } })
}

async function* checkpointLines(store: AuditStore, upTo: number): AsyncGenerator<string> {
  // Damaged ones are passed on as they are: `verify` names them.
  for await (const rows of storedCheckpoints(store))
    for (const row of rows) if ((openBody(row.body)?.seq ?? 0) <= upTo) yield checkpointLine(row)
}

function pick(row: StoredEvent) {
  return Object.fromEntries(columns.map((column) => [column, row[column]]))
}

interface Line {
  readonly export?: { v: number; installation: string; seq: number; hash: string }
  readonly event?: StoredEvent
  readonly end?: { seq: number; hash: string }
}

/** An exported log, for `verify`, which reads checkpoints, events and head in this order. */
export function exportSource(lines: AsyncIterable<string>): AuditSource {
  const reader = new ExportReader(lines)
  return {
    checkpoints: () => reader.checkpoints(),
    events: () => reader.events(),
    installation: async () => reader.installation,
    head: () => reader.head(),
    problems: async () => reader.problems,
  }
}

class ExportReader {
  readonly problems: Problem[] = []
  readonly #lines: AsyncIterator<string>
  #number = 0
  #header: NonNullable<Line['export']> | undefined
  #pending: string | undefined
  #end: Line['end']

  constructor(lines: AsyncIterable<string>) {
    this.#lines = lines[Symbol.asyncIterator]()
  }

  async *checkpoints(): AsyncGenerator<CheckpointRow> {
    this.#header = (await this.#parse('export'))?.export
    if (this.#header?.v !== 1) this.#report('this is not an exported audit log of version 1')
    for (let n = 1; ; n++) {
      const line = await this.#next()
      if (line === undefined) return
      if (!line.startsWith('{"checkpoint":')) {
        this.#pending = line
        return
      }
      const signed = parseCheckpointLine(line)
      if (signed) yield { n: openBody(signed.body)?.n ?? n, ...signed }
      else this.#report('not a valid checkpoint')
    }
  }

  async *events(): AsyncGenerator<readonly StoredEvent[]> {
    for (;;) {
      const line = await this.#parse('event', 'end')
      if (line === undefined) {
        this.#report('the file is truncated: it has no `end`')
        return
      }
      if (line.end) {
        this.#end = line.end
        if ((await this.#next()) !== undefined) this.#report('there is content after `end`')
        return
      }
      if (!line.event) continue // reported
      if (Object.keys(line.event).join() === columns.join()) yield [line.event]
      else this.#report('the event has unexpected or missing members')
    }
  }

  async head(): Promise<Pick<Head, 'seq' | 'hash'>> {
    const { seq = 0, hash = '' } = this.#header ?? {}
    if (this.#end && (this.#end.seq !== seq || this.#end.hash !== hash))
      this.#report('`end` does not match the header in line 1')
    return { seq, hash }
  }

  get installation(): string {
    return this.#header?.installation ?? ''
  }

  /** @returns undefined at the end of the file; an empty line object for one that was reported */
  async #parse(...kinds: (keyof Line)[]): Promise<Line | undefined> {
    const text = await this.#next()
    if (text === undefined) return undefined
    try {
      const line = JSON.parse(text) as Line
      const [only, ...others] = Object.keys(line)
      if (others.length === 0 && kinds.some((kind) => kind === only)) return line
    } catch {
      // reported below, like any other line that doesn't belong
    }
    this.#report(`expected ${kinds.join(' or ')}`)
    return {}
  }

  async #next(): Promise<string | undefined> {
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) return pending
    const { value, done } = await this.#lines.next()
    this.#number++
    return done ? undefined : value
  }

  #report(what: string): void {
    this.problems.push({ where: 'export', at: this.#number, what: `line ${this.#number}: ${what}` })
  }
}
