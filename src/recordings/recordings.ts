import type { Recorder } from '../../proxy/session.ts'

/** A recording while it is written. */
export interface OpenRecording extends Recorder {
  /** Flushes, fsyncs and closes. @returns what `session.ended` carries: hex SHA-256 head of the chain, and the count of entries */
  seal(): Promise<{ digest: string; entries: number }>
  /** Called once if the recording can no longer be written (disk, quota); the session is then cut with `recording-failed`. */
  onFailure(listener: (error: Error) => void): void
}

/** Folder of recordings: writing, reading and verifying them. Built by `openRecordings` (open-recordings.ts). */
export interface Recordings {
  /** Creates the file and writes its header. @throws BrokerError RECORDING_FAILED, LIMIT_REACHED (quota of the principal) */
  create(header: RecordingHeader): Promise<OpenRecording>
  /** Running heads of the open recordings, for checkpoints. */
  heads(): readonly { sessionId: string; head: string; entries: number }[]
  /** Entries of one recording, as they were written; {@link verify} tells whether to believe them. @throws BrokerError NOT_FOUND */
  read(sessionId: string): AsyncIterable<{ entry: unknown }>
  /**
   * Reads the whole file. `problem` names the lines.
   * @param digest from `session.ended`; omitted for a session that is still open
   * @param heads that signed checkpoints took while it was open
   * @throws BrokerError NOT_FOUND
   */
  verify(
    sessionId: string,
    digest?: string | null,
    heads?: readonly { head: string; entries: number }[],
  ): Promise<{ ok: boolean; entries: number; head: string; problem?: string }>
  /** Seals what a lost daemon left open, at the last head that still checks. */
  recover(sessionId: string): Promise<{ digest: string; entries: number }>
  close(): Promise<void>
}

export interface RecordingHeader {
  readonly sessionId: string
  readonly principalId: string
  readonly grantId: string
  readonly resourceId: string
  readonly kind: string
  readonly startedAt: number
}
