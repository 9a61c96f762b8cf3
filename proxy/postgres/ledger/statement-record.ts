import type { Truncated } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import type { RecordedValue } from '../../recording/recorded-value.ts'
import { type Incomplete, type SqlMembers, type StatementError, sqlOf } from '../../recording/statement-entry.ts'
import type { EntryText } from '../../recording/usual-entry.ts'
import type { Names } from './names.ts'
import type { ClientRequest, Pending } from './pending.ts'
import { shownError } from './shown-error.ts'
import { shownName as shown, toUsualEntry } from './usual-entry.ts'

/**
 * One entry of a recording. Absent members: no error, no values …
 * `skipped`: the server skipped it after an earlier error. `unfinished`: the session ended first. `unsent`: it ended before the
 * request was forwarded. `suspended`: the client has fetched only some of the rows so far. `commit`: the commit at the end of a
 * pipeline failed. A `parse` without an error exceeded the limits on names; later entries name its statement without the text.
 * A `bind` without an error did so too, or no Execute followed it. `begun`: it still ran; an entry with the same `request`
 * follows when it has ended.
 */
interface StatementEntry extends SqlMembers {
  readonly at: number
  readonly request?: number
  readonly begun?: true
  readonly type: 'query' | 'execute' | 'parse' | 'bind' | 'describe' | 'close' | 'function-call' | 'commit'
  /** Names given by the client; absent for the unnamed ones. */
  readonly statement?: string
  readonly portal?: string
  /** OID. */
  readonly function?: number
  readonly values?: readonly RecordedValue[]
  readonly valuesCut?: Truncated
  readonly ms: number
  /** Rows returned; the tag has the count of changed rows. */
  readonly rows: number
  /** Of CommandComplete, one for each statement; the first hundred. */
  readonly tags?: readonly string[]
  readonly error?: StatementError
  readonly copyIn?: Copied
  readonly copyOut?: Copied
  readonly skipped?: true
  readonly unfinished?: true
  readonly unsent?: true
  readonly suspended?: true
}

/** @returns undefined for what is not recorded: a Sync without an error */
export function toEntry(
  pending: Pending,
  names: Names,
  seconds: number,
  incomplete?: Incomplete,
): EntryText | undefined {
  const usual = incomplete === undefined ? toUsualEntry(pending, names, seconds) : undefined
  if (usual) return usual
  const described = describe(pending, names)
  if (!described) return undefined
  return { text: JSON.stringify(membersOf(pending, described, seconds, names, incomplete)), isPlain: false }
}

/** One line of JSON for a request that still runs. */
export function toBegunText(pending: Pending, names: Names): string {
  const described = describe(pending, names)
  return JSON.stringify({ at: pending.at, ...described, request: pending.number, begun: true })
}

/** One line of JSON for a Bind that no Execute followed. */
export function toBoundText(pending: Pending, names: Names, incomplete?: Incomplete): string {
  const { request } = pending
  const portal = request.kind === 'bind' ? request.portal : ''
  return JSON.stringify(membersOf(pending, { type: 'bind', ...portalOf(portal, names) }, 0, names, incomplete))
}

/** Members that are undefined are left out of the line. */
type Described = { readonly [K in keyof Omit<StatementEntry, 'at' | 'ms' | 'rows'>]?: StatementEntry[K] | undefined }

function membersOf(pending: Pending, described: Described, seconds: number, names: Names, incomplete?: Incomplete) {
  const { at, number, rows, tags, copyIn, copyOut } = pending
  return {
    at,
    ...described,
    request: number === 0 ? undefined : number,
    ms: Math.round(seconds * 1e6) / 1e3,
    rows,
    tags: tags.length > 0 ? tags : undefined,
    error: pending.error && shownError(pending.error, pending.request, names),
    copyIn,
    copyOut,
    ...(incomplete ? { [incomplete]: true } : undefined),
  }
}

function describe({ request, error }: Pending, names: Names): Described | undefined {
  switch (request.kind) {
    case 'query':
      return { type: 'query', ...sqlOf(request.sql) }
    case 'parse':
      return { type: 'parse', statement: shown(request.name), ...sqlOf(request.sql) }
    case 'execute':
      return { type: 'execute', ...portalOf(request.portal, names) }
    case 'bind':
      return { type: 'bind', ...boundOf(request, names) }
    case 'describe':
      return request.what === 'portal'
        ? { type: 'describe', ...portalOf(request.name, names) }
        : { type: 'describe', ...statementOf(request.name, names) }
    case 'close':
      return { type: 'close', [request.what]: shown(request.name) }
    case 'function-call':
      return { type: 'function-call', ...calledOf(request) }
    case 'sync':
      return error && { type: 'commit' }
  }
}

function statementOf(name: string, names: Names): Described {
  return { statement: shown(name), ...sqlOf(names.statement(name)?.sql) }
}

/** Without a statement: a cursor declared in SQL, or a Bind recorded by itself. */
function portalOf(name: string, names: Names): Described {
  const portal = names.portal(name)
  if (!portal) return { portal: shown(name), sqlUnknown: true }
  const { statement, statementName, values, cut } = portal
  return {
    statement: shown(statementName),
    portal: shown(name),
    ...sqlOf(statement?.sql),
    values: values.length > 0 ? values : undefined,
    valuesCut: cut,
  }
}

function boundOf(request: Extract<ClientRequest, { kind: 'bind' }>, names: Names): Described {
  const { statement, portal, values, cut } = request
  return {
    ...statementOf(statement, names),
    portal: shown(portal),
    values: values.record(names.statement(statement)),
    valuesCut: cut,
  }
}

function calledOf({ oid, values, cut }: Extract<ClientRequest, { kind: 'function-call' }>): Described {
  return {
    function: oid,
    values: values.record(),
    valuesCut: cut,
  }
}
