import type { SessionPermit } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'

/**
 * Where a level says `strict`, waits until what has been recorded is on file; else not at all.
 * @throws Error with code ABORT_ERR once the session is cut, also because its recording failed
 */
export async function onFileIfStrict({
  recorder,
  signal,
  engine,
}: Pick<SessionPermit, 'recorder' | 'signal' | 'engine'>): Promise<void> {
  if (engine?.isRecordingStrict)
    await unlessAborted(signal, new Promise<void>((resolve) => recorder.whenWritten(resolve)))
}
