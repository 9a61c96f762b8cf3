import type { Metrics } from '../telemetry/metrics.ts'

export const bufferBytes = 64 * 1024
/** What waits is flushed in the second round after it came, or in the first when it says that something runs. */
const roundMs = 40
const mostSpare = 64

/** What the shared timer flushes. */
export interface Flushable {
  /** @returns false: nothing is urgent, so it is flushed in the next round */
  flushUrgent(): boolean
  flush(): void
}

/** Shared by all recordings: buffers, so that an idle session holds none; one timer; the count of unwritten bytes. */
export class RecordingBuffers {
  readonly #metrics: Pick<Metrics, 'recordingLagBytes'>
  readonly #spare: Buffer[] = []
  /** Since the last round, and since the one before. */
  #waiting: Flushable[] = []
  #due: Flushable[] = []
  #timer: NodeJS.Timeout | undefined
  #lag = 0

  constructor(metrics: Pick<Metrics, 'recordingLagBytes'>) {
    this.#metrics = metrics
  }

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes) // slow: not a slice of the pool that small buffers share
  }

  give(buffer: Buffer): void {
    if (buffer.length === bufferBytes && this.#spare.length < mostSpare) this.#spare.push(buffer)
  }

  /** @param bytes accepted, or (negative) written */
  count(bytes: number): void {
    this.#lag += bytes
    if (this.#lag === 0) this.#tell()
  }

  /** Flushes this one with the others that wait, within 80 ms. */
  flushSoon(recording: Flushable): void {
    this.#waiting.push(recording)
    this.#timer ??= setTimeout(this.#onRound, roundMs).unref()
  }

  readonly #onRound = (): void => {
    this.#timer = undefined
    const [due, waiting] = [this.#due, this.#waiting]
    this.#waiting = []
    for (const recording of due) recording.flush()
    this.#due = waiting.filter((recording) => !recording.flushUrgent())
    if (this.#due.length > 0) this.#timer ??= setTimeout(this.#onRound, roundMs).unref()
    this.#tell()
  }

  #tell(): void {
    this.#metrics.recordingLagBytes.set(this.#lag)
  }
}
