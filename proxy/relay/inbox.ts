import { Queue } from '../recording/queue.ts'

/** What one item costs besides its bytes. */
const overheadBytes = 256
const mostBytes = 256 * 1024

interface Source {
  pause(): unknown
  resume(): unknown
}

/** What has arrived and was not taken yet. Its source is held back while that is much. */
export class Inbox<T> {
  readonly #source: Source
  #items = new Queue<{ readonly item: T; readonly bytes: number }>()
  #bytes = 0
  #isPaused = false
  #error: Error | undefined
  #more = Promise.withResolvers<void>()

  constructor(source: Source) {
    this.#source = source
  }

  push(item: T, itemBytes: number): void {
    if (this.#error) return
    const bytes = itemBytes + overheadBytes
    this.#items.push({ item, bytes })
    this.#bytes += bytes
    this.#more.resolve()
    if (this.#isPaused || this.#bytes < mostBytes) return
    this.#isPaused = true
    this.#source.pause()
  }

  /** What is here can still be taken. */
  close(error: Error): void {
    this.#error ??= error
    this.#more.resolve()
  }

  /** What is here is dropped, and no more is taken. */
  discard(error: Error): void {
    this.#items = new Queue()
    this.#error = error
    this.#more.resolve()
  }

  /** @throws what it was closed with, once all has been taken */
  async take(): Promise<T> {
    for (;;) {
      const first = this.#items.shift()
      if (first) {
        this.#taken(first.bytes)
        return first.item
      }
      if (this.#error) throw this.#error
      this.#more = Promise.withResolvers()
      await this.#more.promise
    }
  }

  #taken(bytes: number): void {
    this.#bytes -= bytes
    if (!this.#isPaused || this.#bytes >= mostBytes / 2) return
    this.#isPaused = false
    this.#source.resume()
  }
}
