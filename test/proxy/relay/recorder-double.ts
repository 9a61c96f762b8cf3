import type { Recorder } from '../../../proxy/session.ts'

/** A recorder that takes everything at once. @param write returns false: it is behind */
export function recorderDouble(write: (entry: string) => boolean = () => true): Recorder {
  return {
    write,
    reserve: () => {},
    release: () => {},
    onDrain: () => {},
    onFlush: () => {},
    whenWritten: (done) => done(),
  }
}
