import type { Recorder } from '../session.ts'
import { type RecordedValue, recordValues } from './bound-values.ts'
import type { Captured } from './captured.ts'
import type { Names } from './names.ts'
import type { Pending } from './pending.ts'

/** How a statement ended, when no server said so. */
export type Unended = 'skipped' | 'unfinished' | 'suspended'

/**
 * One entry of a recording. Absent members say nothing: no error, no values …
 * `skipped`: the server left it out after an error before it. `unfinished`: the session ended first. `suspended`: the client
 * asked for some rows only, so far.
 */
interface StatementEntry {
  readonly at: number
  readonly type: 'query' | 'execute' | 'parse' | 'bind' | 'describe' | 'function-call'
  readonly sql?: string
  /** The text was too long: size and digest of the whole message body. */
  readonly sqlCut?: Captured['cut']
  readonly portal?: string
  readonly function?: number
  readonly values?: readonly RecordedValue[]
  readonly valuesCut?: Captured['cut']
  readonly ms: number
  readonly rows: number
  readonly tags?: readonly string[]
  readonly error?: Pending['error']
  readonly copyIn?: Pending['copyIn']
  readonly copyOut?: Pending['copyOut']
  readonly skipped?: true
  readonly unfinished?: true
  readonly suspended?: true
}

/** Writes statements as lines of JSON. One scratch buffer is shared by all sessions: an entry leaves it before the next is made. */
export class StatementRecords {
  readonly #recorder: Recorder
  #isFull = false

  constructor(recorder: Recorder, onDrain: () => void) {
    this.#recorder = recorder
    recorder.onDrain(() => {
      this.#isFull = false
      onDrain()
    })
  }

  /** The recorder is behind: nothing more is to be read until it has caught up. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** @throws BrokerError RECORDING_FAILED */
  write(pending: Pending, names: Names, seconds: number, unended?: Unended): void {
    const entry = toEntry(pending, names, seconds, unended)
    if (!entry) return
    const text = JSON.stringify(entry)
    const most = text.length * 3 // UTF-8 of a UTF-16 unit
    const bytes = most <= scratch.length ? scratch : Buffer.allocUnsafeSlow(most)
    const end = bytes.write(text)
    if (!this.#recorder.write(bytes, 0, end)) this.#isFull = true
  }
}

const scratch = Buffer.allocUnsafeSlow(64 * 1024)

function toEntry(pending: Pending, names: Names, seconds: number, unended?: Unended): StatementEntry | undefined {
  const { at, rows, tags, error, copyIn, copyOut } = pending
  const said = describe(pending, names)
  if (!said) return undefined
  return {
    at,
    ...said,
    ms: Math.round(seconds * 1e6) / 1e3,
    rows,
    ...(tags.length > 0 ? { tags } : {}),
    ...(error ? { error } : {}),
    ...(copyIn ? { copyIn } : {}),
    ...(copyOut ? { copyOut } : {}),
    ...(unended ? { [unended]: true } : {}),
  }
}

type Said = Pick<StatementEntry, 'type' | 'sql' | 'sqlCut' | 'portal' | 'function' | 'values' | 'valuesCut'>

function describe(pending: Pending, names: Names): Said | undefined {
  switch (pending.kind) {
    case 'query':
      return { type: 'query', ...sqlOf(pending.sql) }
    case 'parse':
      return { type: 'parse', ...sqlOf(pending.sql) }
    case 'execute':
      return { type: 'execute', ...portalOf(pending.portal, names) }
    case 'bind':
      return { type: 'bind', ...boundOf(pending, names) }
    case 'describe':
      return {
        type: 'describe',
        ...(pending.what === 'portal' ? portalOf(pending.name, names) : sqlOf(names.statement(pending.name)?.sql)),
      }
    case 'function-call': {
      const { message, cut } = pending
      if (!message) return { type: 'function-call', ...(cut ? { valuesCut: cut } : {}) }
      return { type: 'function-call', function: message.oid, values: recordValues(message.values, message.formats, []) }
    }
    default:
      return undefined
  }
}

function sqlOf(sql: Captured | undefined): Pick<Said, 'sql' | 'sqlCut'> {
  if (!sql) return {}
  return { sql: sql.text, ...(sql.cut ? { sqlCut: sql.cut } : {}) }
}

function portalOf(name: string, names: Names): Omit<Said, 'type'> {
  const portal = names.portal(name)
  if (!portal) return { portal: name } // a cursor that was declared in SQL
  const { statement, values, cut } = portal
  return {
    ...sqlOf(statement.sql),
    ...(values.length > 0 ? { values } : {}),
    ...(cut ? { valuesCut: cut } : {}),
  }
}

function boundOf({ statement, message, cut }: Extract<Pending, { kind: 'bind' }>, names: Names): Omit<Said, 'type'> {
  const known = names.statement(statement)
  return {
    ...sqlOf(known?.sql),
    ...(message ? { values: recordValues(message.values, message.formats, known?.oids ?? []) } : {}),
    ...(cut ? { valuesCut: cut } : {}),
  }
}
