import type { SessionPermit } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'

/** Waits until what has been recorded is on file. @throws Error with code ABORT_ERR once the signal is aborted, also because the recording failed */
export async function onFile({ recorder, signal }: Pick<SessionPermit, 'recorder' | 'signal'>): Promise<void> {
  await unlessAborted(signal, new Promise<void>((resolve) => recorder.whenWritten(resolve)))
}

/** The same where a level says `strict`; else not at all. */
export async function onFileIfStrict(permit: Pick<SessionPermit, 'recorder' | 'signal' | 'engine'>): Promise<void> {
  if (permit.engine?.isRecordingStrict) await onFile(permit)
}
