export const bufferBytes = 64 * 1024
/** What waits is flushed in the second round after it came, or in the first when it says that something runs. */
const roundMs = 40
const mostSpare = 64
/** Of one round, before all else in the process has its turn. */
const mostAtOnce = 8

/** What the shared timer flushes. */
export interface Flushable {
  /** @returns false: nothing is urgent, so it is flushed in the next round */
  flushUrgent(): boolean
  flush(): void
}

export interface BufferMetrics {
  readonly recordingLagBytes: { set(bytes: number): void }
}

/** Shared by all recordings: buffers, so that an idle session holds none; one timer; the count of unwritten bytes. */
export class RecordingBuffers {
  readonly #metrics: BufferMetrics
  readonly #spare: Buffer[] = []
  /** Since the last round, and since the one before. */
  #waiting: Flushable[] = []
  #due: Flushable[] = []
  #timer: NodeJS.Timeout | undefined
  #isInRound = false
  #lag = 0

  constructor(metrics: BufferMetrics) {
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
    this.#awaitRound()
  }

  #awaitRound(): void {
    if (!this.#isInRound) this.#timer ??= setTimeout(this.#onRound, roundMs).unref()
  }

  readonly #onRound = (): void => {
    this.#timer = undefined
    this.#isInRound = true
    const [due, waiting] = [this.#due, this.#waiting]
    this.#waiting = []
    this.#due = []
    const flushNext = (): void => {
      const now = due.splice(0, mostAtOnce)
      for (const recording of now) recording.flush()
      for (const recording of waiting.splice(0, mostAtOnce - now.length))
        if (!recording.flushUrgent()) this.#due.push(recording)
      if (due.length + waiting.length > 0) setImmediate(flushNext)
      else this.#endRound()
    }
    flushNext()
  }

  #endRound(): void {
    this.#isInRound = false
    if (this.#due.length + this.#waiting.length > 0) this.#awaitRound()
    this.#tell()
  }

  #tell(): void {
    this.#metrics.recordingLagBytes.set(this.#lag)
  }
}
