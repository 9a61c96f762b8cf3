import type { Duplex } from 'node:stream'
import { readChunks } from '../streams/read-chunks.ts'

export interface SideListener {
  onData(chunk: Buffer): void
  /** It can take more. */
  onDrain(): void
  /** It has ended or closed; called for both. */
  onClosed(): void
}

/** One side of a session: its bytes as they come. */
export class Side {
  readonly stream: Duplex
  readonly #listener: SideListener
  #stopReading = (): void => {}
  #isStopped = false

  constructor(stream: Duplex, listener: SideListener) {
    this.stream = stream
    this.#listener = listener
  }

  start(): void {
    const { stream } = this
    const { onData, onDrain, onClosed } = this.#listener
    stream.on('drain', onDrain).on('end', onClosed).on('close', onClosed)
    const stop = readChunks(stream, onData)
    this.#stopReading = () => {
      stop()
      stream.off('drain', onDrain).off('end', onClosed).off('close', onClosed)
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#stopReading()
  }

  /** Reports what happened while nobody listened. */
  checkClosed(): void {
    if (this.stream.destroyed || this.stream.readableEnded) this.#listener.onClosed()
  }

  /**
   * Lets `use` read it in another way. When that rejects, nobody reads it any more: the session ends.
   * @param rest of what was read; comes first
   */
  async lend<T>(use: (stream: Duplex) => Promise<T>, rest?: Buffer): Promise<T> {
    this.#stopReading()
    if (rest && rest.length > 0) this.stream.unshift(rest)
    const result = await use(this.stream)
    if (this.#isStopped) return result
    this.start()
    this.checkClosed()
    return result
  }
}
