import type { Captured, Cut } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import { type RecordedValue, recordValues } from './bound-values.ts'
import type { Names } from './names.ts'
import type { Asked, Pending, StatementError } from './pending.ts'

/** How a statement ended, when no server said so. */
export type Unended = 'skipped' | 'unfinished' | 'suspended'

/**
 * One entry of a recording. Absent members say nothing: no error, no values …
 * `skipped`: the server left it out after an error before it. `unfinished`: the session ended first. `suspended`: the client
 * asked for some rows only, so far. `commit`: what failed when a pipeline ended and was to be committed. A `parse` or `bind` without
 * error is one that was too much to remember; later entries name its statement or portal, and lack the text.
 */
interface StatementEntry {
  readonly at: number
  readonly type: 'query' | 'execute' | 'parse' | 'bind' | 'describe' | 'close' | 'function-call' | 'commit'
  readonly sql?: string
  /** The text was not UTF-8: its bytes. */
  readonly sqlBase64?: string
  /** The text was too long: size and digest of the whole message body. */
  readonly sqlCut?: Cut
  /** Names given by the client; absent for the unnamed ones. */
  readonly statement?: string
  readonly portal?: string
  /** OID. */
  readonly function?: number
  readonly values?: readonly RecordedValue[]
  readonly valuesCut?: Cut
  readonly ms: number
  /** That were returned; those that were changed are in the tag. */
  readonly rows: number
  /** Of CommandComplete, one for each statement; the first hundred. */
  readonly tags?: readonly string[]
  readonly error?: StatementError
  readonly copyIn?: Copied
  readonly copyOut?: Copied
  readonly skipped?: true
  readonly unfinished?: true
  readonly suspended?: true
}

/** @returns one line of JSON; undefined for what is not recorded: a Sync without an error */
export function toEntryText(pending: Pending, names: Names, seconds: number, unended?: Unended): string | undefined {
  const described = describe(pending, names)
  return described && JSON.stringify(toEntry(pending, described, seconds, unended))
}

/** Members that are undefined are left out of the line. */
type Described = { readonly [K in keyof Omit<StatementEntry, 'at' | 'ms' | 'rows'>]?: StatementEntry[K] | undefined }

function toEntry(pending: Pending, described: Described, seconds: number, unended?: Unended) {
  const { at, rows, tags, error, copyIn, copyOut } = pending
  return {
    at,
    ...described,
    ms: Math.round(seconds * 1e6) / 1e3,
    rows,
    tags: tags.length > 0 ? tags : undefined,
    error,
    copyIn,
    copyOut,
    ...(unended ? { [unended]: true } : undefined),
  }
}

function describe({ asked, error }: Pending, names: Names): Described | undefined {
  switch (asked.kind) {
    case 'query':
      return { type: 'query', ...sqlOf(asked.sql) }
    case 'parse':
      return { type: 'parse', statement: shown(asked.name), ...sqlOf(asked.sql) }
    case 'execute':
      return { type: 'execute', ...portalOf(asked.portal, names) }
    case 'bind':
      return { type: 'bind', ...boundOf(asked, names) }
    case 'describe':
      return asked.what === 'portal'
        ? { type: 'describe', ...portalOf(asked.name, names) }
        : { type: 'describe', ...statementOf(asked.name, names) }
    case 'close':
      return { type: 'close', [asked.what]: shown(asked.name) }
    case 'function-call':
      return { type: 'function-call', ...calledOf(asked) }
    case 'sync':
      return error && { type: 'commit' }
  }
}

function sqlOf(sql: Captured | undefined): Described {
  return { sql: sql?.text, sqlBase64: sql?.base64, sqlCut: sql?.cut }
}

function statementOf(name: string, names: Names): Described {
  return { statement: shown(name), ...sqlOf(names.statement(name)?.sql) }
}

/** Without a statement: a cursor that was declared in SQL, or a Bind that is recorded by itself. */
function portalOf(name: string, names: Names): Described {
  const portal = names.portal(name)
  if (!portal) return { portal: shown(name) }
  const { statement, statementName, values, cut } = portal
  return {
    statement: shown(statementName),
    portal: shown(name),
    ...sqlOf(statement?.sql),
    values: values.length > 0 ? values : undefined,
    valuesCut: cut,
  }
}

function boundOf(asked: Extract<Asked, { kind: 'bind' }>, names: Names): Described {
  const { statement, portal, message, cut } = asked
  const oids = names.statement(statement)?.oids ?? []
  return {
    ...statementOf(statement, names),
    portal: shown(portal),
    values: message && recordValues(message.values, message.formats, oids),
    valuesCut: cut,
  }
}

function calledOf({ message, cut }: Extract<Asked, { kind: 'function-call' }>): Described {
  return {
    function: message?.oid,
    values: message && recordValues(message.values, message.formats, []),
    valuesCut: cut,
  }
}

const longestName = 256

function shown(name: string): string | undefined {
  if (name === '') return undefined
  return Buffer.from(name, 'latin1').toString('utf8').slice(0, longestName)
}
