import type { Metrics } from '../telemetry/metrics.ts'

export const bufferBytes = 64 * 1024
const flushMs = 50
const mostSpare = 64

/** What the shared timer flushes. */
export interface Flushable {
  flush(): void
}

/** Shared by all recordings: buffers, so that an idle session holds none; one timer; the count of unwritten bytes. */
export class RecordingBuffers {
  readonly #metrics: Pick<Metrics, 'recordingLagBytes'>
  readonly #spare: Buffer[] = []
  #waiting: Flushable[] = []
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

  /** Flushes this one with the others that wait, 50 ms from the first at the latest. */
  flushSoon(recording: Flushable): void {
    this.#waiting.push(recording)
    this.#timer ??= setTimeout(() => this.#flush(), flushMs).unref()
  }

  #flush(): void {
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const recording of waiting) recording.flush()
    this.#tell()
  }

  #tell(): void {
    this.#metrics.recordingLagBytes.set(this.#lag)
  }
}
