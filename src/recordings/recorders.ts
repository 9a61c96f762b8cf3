import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recorders } from '../../proxy/relay/session-host.ts'
import { BrokerError } from '../../proxy/session.ts'
import type { RecordingBuffers } from './recording-buffers.ts'
import type { RecordingQuota } from './recording-quota.ts'
import { RecordingWriter } from './recording-writer.ts'

export interface RecordersDeps {
  /** Folder of recordings. */
  readonly dir: string
  readonly quota: RecordingQuota
  readonly buffers: RecordingBuffers
  /** Unwritten bytes at which a session is paused; default 1 MiB. */
  readonly highWater?: number
}

/** Writes recordings whose headers are there. */
export interface OpenRecorders extends Recorders {
  /** Whether one is being written here. */
  writes(sessionId: string): boolean
  /** Seals those that are. */
  close(): Promise<void>
}

export function createRecorders({ dir, quota, buffers, highWater = 1024 * 1024 }: RecordersDeps): OpenRecorders {
  const writers = new Map<string, RecordingWriter>()
  const resume: Recorders['resume'] = async ({ sessionId, principalId, recording: { file, offset, head } }) => {
    const writer = new RecordingWriter({
      file: await open(join(dir, file), 'r+'),
      ...{ offset, head, sessionId, principalId, buffers, quota, highWater },
      onSealed: () => writers.delete(sessionId),
    })
    writers.set(sessionId, writer)
    return writer
  }
  return {
    resume: (session) => resume(session).catch(toRecordingError),
    writes: (sessionId) => writers.has(sessionId),
    close: async () => {
      await Promise.all([...writers.values()].map((writer) => writer.seal()))
    },
  }
}

/** @throws BrokerError RECORDING_FAILED for what is none */
export function toRecordingError(cause: unknown): never {
  throw cause instanceof BrokerError ? cause : new BrokerError('RECORDING_FAILED', undefined, { cause })
}
