import type { Recorders } from '../../proxy/relay/session-host.ts'
import type { BrokerError, RecordingStart, SealedRecording } from '../../proxy/session.ts'

/** Folder of recordings: writing, reading and verifying them. Built by `openRecordings` (open-recordings.ts). */
export interface Recordings extends Recorders {
  /** Creates the file and writes its header. @throws BrokerError RECORDING_FAILED, LIMIT_REACHED (quota of the principal) */
  create(header: RecordingHeader): Promise<RecordingStart>
  /** Counts what another process of the daemon has written. @returns why this principal may record no more, if so */
  spend(principalId: string, bytes: number): BrokerError | undefined
  /** Why none can be created, for anyone. */
  problem(): Promise<string | undefined>
  /**
   * Entries of one recording, as they were written; {@link verify} checks whether they are genuine. One that another daemon wrote is
   * asked of it.
   * @throws BrokerError NOT_FOUND; PEER_UNREACHABLE when the daemon that keeps it does not answer
   */
  read(sessionId: string): AsyncIterable<{ entry: unknown }>
  /**
   * Reads the whole file. `problem` names the lines.
   * @param digest from `session.ended`; omitted for a session that is still open
   * @param heads in checkpoints signed while it was open
   * @throws BrokerError as {@link read}
   */
  verify(
    sessionId: string,
    digest?: string | null,
    heads?: readonly { head: string; entries: number }[],
  ): Promise<{ ok: boolean; entries: number; head: string; problem?: string }>
  /**
   * The bytes of one recording from an offset on, as far as they are written.
   * @throws BrokerError as {@link read}
   */
  bytes(sessionId: string, offset: number): Promise<AsyncIterable<Buffer>>
  /** Bytes of a recording that is here, from an offset on, for another daemon; undefined: it is not here. */
  piece(sessionId: string, offset: number): Promise<Buffer | undefined>
  /** Bytes of a recording that is here, as far as they are written; undefined: it is not here. */
  size(sessionId: string): Promise<number | undefined>
  /** Seals a recording that a lost daemon left open, at the last valid head. */
  recover(sessionId: string): Promise<SealedRecording>
  close(): Promise<void>
}

/** The bytes of a recording that is not here, from an offset on; undefined for one that no other daemon keeps. */
export type RecordingsElsewhere = (sessionId: string, offset: number) => Promise<AsyncIterable<Buffer> | undefined>

export interface RecordingHeader {
  readonly sessionId: string
  readonly principalId: string
  readonly grantId: string
  readonly resourceId: string
  readonly kind: string
  readonly startedAt: number
}
