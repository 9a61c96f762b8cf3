import { hash } from 'node:crypto'
import { mkdir, open, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BrokerError, type RecordingStart } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Counts } from '../store/counts/counter.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createRecorders, toRecordingError } from './recorders.ts'
import { RecordingBuffers } from './recording-buffers.ts'
import { checkRecording } from './recording-check.ts'
import { dayOf, findRecording, lookForRecording, noRecording, recordingName } from './recording-files.ts'
import { RecordingQuota } from './recording-quota.ts'
import { readEntries } from './recording-read.ts'
import { chunksOf, formatVersion, type RecordingBytes } from './recording-scan.ts'
import type { RecordingHeader, Recordings, RecordingsElsewhere } from './recordings.ts'

export interface RecordingsDeps {
  readonly config: Config['recordings']
  /** Id of the signing key, which signs their digests; later of the key that encrypts recordings. */
  readonly keyId: string
  /** Makes the key of the digests within one recording, and the id of the key that it is made from. */
  readonly digestKeys: { readonly id: string; keyOf(sessionId: string): Uint8Array }
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'recordingLagBytes'>
  /** Of what a principal may record; by default of this daemon alone. */
  readonly counts?: Counts
  /** What other daemons keep; by default there are none. */
  readonly elsewhere?: RecordingsElsewhere
  /** Unwritten bytes at which a session is paused; default 1 MiB. */
  readonly highWater?: number
  /** Free bytes of the disk; for tests. */
  readonly freeBytes?: (dir: string) => Promise<number>
}

/** Opens the folder of recordings (mode 0700, files 0600). @throws Error when it can't be made or read */
export async function openRecordings(deps: RecordingsDeps): Promise<Recordings> {
  const { dir, ...limits } = deps.config
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const { clock, counts, freeBytes } = deps
  const given = { ...(counts ? { counts } : {}), ...(freeBytes ? { freeBytes } : {}) }
  const quota = new RecordingQuota({ dir, clock, ...limits, ...given })
  await quota.load()
  const recorders = createRecorders({
    ...{ dir, quota, buffers: new RecordingBuffers(deps.metrics) },
    ...(deps.highWater === undefined ? {} : { highWater: deps.highWater }),
  })

  const create = async (header: RecordingHeader): Promise<RecordingStart> => {
    const { sessionId, principalId, startedAt } = header
    await quota.admit(principalId)
    const line = headerLine(header, deps.keyId, deps.digestKeys.id)
    const [folder, name] = [dayOf(startedAt), recordingName(sessionId)]
    await createFile(join(dir, folder), name, line)
    quota.spend(principalId, line.length)
    const digestKey = deps.digestKeys.keyOf(sessionId)
    return { file: join(folder, name), offset: line.length, head: hash('sha256', line), digestKey }
  }

  const find = async (id: string, offset = 0): Promise<RecordingBytes> => {
    const found = (await lookForRecording(dir, id)) ?? (await deps.elsewhere?.(id, offset))
    if (found === undefined) throw noRecording(id)
    return found
  }

  return {
    piece: async (sessionId, offset) => {
      const path = await lookForRecording(dir, sessionId)
      return path === undefined ? undefined : await readPiece(path, offset)
    },
    size: async (sessionId) => {
      const path = await lookForRecording(dir, sessionId)
      return path === undefined ? undefined : (await stat(path)).size
    },
    problem: () => quota.diskProblem(),
    create: (header) => create(header).catch(toRecordingError),
    resume: (session) => recorders.resume(session),
    spend: (principalId, bytes) => quota.spend(principalId, bytes),
    read: async function* (sessionId) {
      yield* readEntries(await find(sessionId))
    },
    bytes: async (sessionId, offset) => chunksOf(await find(sessionId, offset), offset),
    verify: async (sessionId, digest, heads) => {
      const { endOffset: _, ...verdict } = await checkRecording(await find(sessionId), {
        session: sessionId,
        digest: digest ?? null,
        heads: heads ?? [],
      })
      return verdict
    },
    recover: async (sessionId) => {
      if (recorders.writes(sessionId)) throw new BrokerError('INTERNAL', `the recording of ${sessionId} is still open`)
      return await recover(await findRecording(dir, sessionId), sessionId, deps.logger)
    },
    close: () => recorders.close(),
  }
}

const pieceBytes = 512 * 1024

async function readPiece(path: string, offset: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function headerLine(header: RecordingHeader, key: string, digests: string): Buffer {
  const { sessionId, principalId, grantId, resourceId, kind, startedAt } = header
  const names = { session: sessionId, principal: principalId, grant: grantId, resource: resourceId, kind }
  return Buffer.from(`${JSON.stringify({ v: formatVersion, key, digests, ...names, startedAt })}\n`)
}

async function createFile(folder: string, name: string, header: Buffer): Promise<void> {
  const write = () => writeFile(join(folder, name), header, { flag: 'wx', mode: 0o600 })
  try {
    await write()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await mkdir(folder, { recursive: true, mode: 0o700 }) // the first of its day
    await write()
  }
}

/** Truncates a file after the last valid head; the rest is kept in a separate file, since it may be evidence. */
async function recover(path: string, session: string, logger: Logger): Promise<{ digest: string; entries: number }> {
  const { head, entries, endOffset, problem } = await checkRecording(path, { session })
  if (head === '') throw new BrokerError('RECORDING_FAILED', `the recording of ${session} has no header`)
  if (problem !== undefined) logger.error({ session, problem }, 'the recording of a lost session was damaged')
  const tail = await readTail(path, endOffset)
  if (tail.length > 0) {
    await writeFile(`${path}.tail`, tail, { mode: 0o600, flush: true })
    await truncate(path, endOffset)
    logger.warn({ session, bytes: tail.length }, 'the incomplete end of a recording was moved to a separate file')
  }
  return { digest: head, entries }
}

const longestTail = 64 * 1024 * 1024

async function readTail(path: string, from: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size - from > longestTail)
      throw new Error(`${size - from} bytes of ${path} are damaged; the file was not changed`)
    const tail = Buffer.alloc(size - from)
    await file.read(tail, 0, tail.length, from)
    return tail
  } finally {
    await file.close()
  }
}
