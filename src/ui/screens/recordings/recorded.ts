import type { RecordedEntry, RecordingHeader } from '../../../contract/recordings.ts'
import type { ReplayEvent } from '../../terminal/replay.ts'

/** With the members that a statement or a request may have. */
export type Entry = RecordedEntry & {
  readonly at?: number
  readonly type?: string
  readonly request?: number
  readonly begun?: true
  readonly unsent?: true
  readonly sql?: string
  readonly values?: readonly unknown[]
  readonly ms?: number
  readonly rows?: number
  readonly tags?: readonly string[]
  readonly error?: { readonly code: string; readonly message: string }
  readonly text?: string
  readonly cols?: number
}

export interface Recording {
  readonly header: RecordingHeader
  /** In order; of what was begun and ended only the end. */
  readonly entries: readonly Entry[]
  /** False: there is more than the page takes. */
  readonly isWhole: boolean
}

/** Kept by a page; the command line shows the rest. */
export const mostEntries = 50_000

/** @param lines the header, then each entry */
export async function readRecording(
  lines: AsyncIterable<unknown>,
  onProgress: (entries: number) => void,
): Promise<Recording> {
  let header: RecordingHeader | undefined
  const entries = new Map<number, Entry>()
  const ofRequest = new Map<number, number>()
  let count = 0
  for await (const line of lines) {
    if (!header) {
      header = line as RecordingHeader
      continue
    }
    if (count === mostEntries) return { header, entries: [...entries.values()], isWhole: false }
    const entry = line as Entry
    const begun = entry.request === undefined ? undefined : ofRequest.get(entry.request)
    if (begun !== undefined) entries.delete(begun)
    if (entry.request !== undefined) ofRequest.set(entry.request, count)
    entries.set(count, entry)
    count += 1
    if (count % 1000 === 0) onProgress(count)
  }
  if (!header) throw new Error('the recording has no beginning')
  return { header, entries: [...entries.values()], isWhole: true }
}

export function isTerminal({ entries }: Recording): boolean {
  return entries[0]?.type === 'terminal'
}

/** What its screen showed, and how large it was. */
export function replayEvents(entries: readonly Entry[]): ReplayEvent[] {
  const began = entries[0]?.at ?? 0
  return entries.flatMap(({ at = began, type, text, cols, rows }): ReplayEvent[] => {
    const size = cols !== undefined && rows !== undefined ? { size: { cols, rows } } : {}
    if (type === 'output' && text !== undefined) return [{ at: at - began, text }]
    return type === 'terminal' || type === 'resize' ? [{ at: at - began, ...size }] : []
  })
}

/** Members that are shown in a way of their own. */
const known = ['at', 'type', 'request', 'begun', 'unsent', 'sql', 'values', 'ms', 'rows', 'tags', 'error']

export function otherMembers(entry: Entry): readonly (readonly [string, string])[] {
  return Object.entries(entry).flatMap(([name, value]) =>
    known.includes(name) ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)] as const],
  )
}

/** Everything that can be looked for in it: not its times and counts, which nearly any number is part of. */
export function textOf(entry: Entry): string {
  const { type = '', sql = '', values = [], tags = [], error } = entry
  const others = otherMembers(entry).map(([, value]) => value)
  const failed = error ? [error.code, error.message] : []
  return [type, sql, JSON.stringify(values), ...tags, ...failed, ...others].join('\n').toLowerCase()
}
