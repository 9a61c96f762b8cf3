import type { Recorder } from '../session.ts'

/** Writes the entries of one session, and knows whether its recorder is behind. */
export class EntryWriter {
  readonly #recorder: Recorder
  #isFull = false
  #reserved = 0

  constructor(recorder: Recorder, onDrain: () => void) {
    this.#recorder = recorder
    recorder.onDrain(() => {
      this.#isFull = false
      onDrain()
    })
  }

  /** The recorder is behind: stop reading until it has caught up. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Bytes for requests that wait for their answer. */
  get reserved(): number {
    return this.#reserved
  }

  /** As {@link Recorder.reserve}; the request will be on file within 100 ms. */
  reserve(bytes: number): void {
    this.#recorder.reserve(bytes)
    this.#reserved += bytes
  }

  release(bytes: number): void {
    this.#recorder.release(bytes)
    this.#reserved -= bytes
  }

  /** An entry that waits for no answer. @param room bytes that it takes at most. @throws BrokerError RECORDING_FAILED, LIMIT_REACHED */
  add(entry: object, room: number): void {
    this.addText(JSON.stringify(entry), room)
  }

  /** The same of one that is written out. */
  addText(entry: string, room: number, isPlain = false): void {
    this.reserve(room)
    try {
      this.write(entry, isPlain)
    } finally {
      this.release(room)
    }
  }

  /** As {@link Recorder.write}. */
  write(entry: string, isPlain = false): void {
    if (!this.#recorder.write(entry, isPlain)) this.#isFull = true
  }
}
