import { BrokerError } from '../../proxy/session.ts'
import { findRecording } from './recording-files.ts'
import { type Batch, formatVersion, type RecordingBytes, scanBytes } from './recording-scan.ts'

/** What the audit log and its checkpoints state about a recording. */
export interface ExpectedRecording {
  readonly session: string
  /** From `session.ended`; null or omitted while it is open, or when it could not be sealed. */
  readonly digest?: string | null
  /** Heads in signed checkpoints. */
  readonly heads?: readonly { readonly head: string; readonly entries: number }[]
}

export interface RecordingVerdict {
  readonly ok: boolean
  /** Entries up to the last valid head, that head, and where its line ends. */
  readonly entries: number
  readonly head: string
  readonly endOffset: number
  /** The first problem, with its lines. */
  readonly problem?: string
}

/** Checks the recording of one session in a folder. @returns what is wrong with it, or null */
export async function checkRecordingFile(dir: string, expected: ExpectedRecording): Promise<string | null> {
  try {
    return (await checkRecording(await findRecording(dir, expected.session), expected)).problem ?? null
  } catch (error) {
    if (error instanceof BrokerError) return error.message
    throw error
  }
}

/** Reads a recording from end to end. @throws Error when the file can't be read */
export async function checkRecording(from: RecordingBytes, expected: ExpectedRecording): Promise<RecordingVerdict> {
  let entries = 0
  let head = ''
  let endOffset = 0
  let problem: string | undefined
  const seen = new Map<string, number>()
  const rest = await scanBytes(from, {
    header: (json, first, end) => {
      head = first
      endOffset = end
      seen.set(first, 0)
      problem = checkHeader(json, expected.session)
    },
    batch: (batch) => {
      problem ??= checkBatch(batch, entries)
      if (problem !== undefined) return false
      entries = batch.total
      head = batch.head
      endOffset = batch.endOffset
      seen.set(head, entries)
      return true
    },
  })
  if (head === '') problem = 'the file has no header'
  problem ??= checkEnd({ entries, head, rest, seen }, expected)
  return { ok: problem === undefined, entries, head, endOffset, ...(problem === undefined ? {} : { problem }) }
}

function checkHeader(json: Buffer, session: string): string | undefined {
  try {
    const header = JSON.parse(json.toString()) as { v?: unknown; session?: unknown }
    if (header.v !== formatVersion) return `line 1: not the header of a recording of version ${formatVersion}`
    return header.session === session ? undefined : `line 1: this is the recording of ${String(header.session)}`
  } catch {
    return 'line 1: not the header of a recording'
  }
}

function checkBatch(batch: Batch, before: number): string | undefined {
  const { computed, head, stated, counted, firstLine, chainLine } = batch
  if (stated !== counted) return `line ${chainLine}: it states ${stated} entries, but there are ${counted}`
  if (computed === head) return undefined
  return `lines ${firstLine} to ${chainLine} (entries ${before + 1} to ${before + counted}): they were changed; their hash differs from the one in line ${chainLine}`
}

interface Found {
  readonly entries: number
  readonly head: string
  readonly rest: { readonly line: number; readonly bytes: number }
  readonly seen: ReadonlyMap<string, number>
}

function checkEnd({ entries, head, rest, seen }: Found, expected: ExpectedRecording): string | undefined {
  const { digest = null, heads = [] } = expected
  for (const signed of heads) {
    if (seen.get(signed.head) !== signed.entries) {
      return `it lacks the head that a checkpoint signed after ${signed.entries} entries: it was truncated or rewritten`
    }
  }
  if (digest === null) return undefined // still being written: entries that are not chained yet prove nothing
  const sealed = seen.get(digest)
  if (sealed === undefined) {
    return `after ${entries} entries its head differs from the one in the audit log: it was truncated or rewritten`
  }
  if (head !== digest) return `entries ${sealed + 1} to ${entries} were added after it was sealed`
  return rest.bytes > 0 ? `line ${rest.line}: ${rest.bytes} bytes were added after it was sealed` : undefined
}
