import type { Recorder } from '../session.ts'

/** Writes entries of a recording. All sessions share one scratch buffer: the recorder copies each entry before the next is made. */
export class EntryWriter {
  readonly #recorder: Recorder
  #isFull = false

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

  /** @param text one JSON object without a line break @throws BrokerError RECORDING_FAILED */
  write(text: string): void {
    const most = text.length * 3 // UTF-8 of a UTF-16 unit
    const bytes = most <= scratch.length ? scratch : Buffer.allocUnsafeSlow(most)
    const end = bytes.write(text)
    if (!this.#recorder.write(bytes, 0, end)) this.#isFull = true
  }
}

const scratch = Buffer.allocUnsafeSlow(64 * 1024)
