import { Queue } from '../../proxy/recording/queue.ts'

/** What a viewer of a terminal gets, in its order. */
export type Shown =
  | { readonly bytes: Buffer }
  | { readonly resize: { readonly cols: number; readonly rows: number } }
  | { readonly notice: string }
  | { readonly exit: number }
  /** Bytes that were left out, since the viewer is slower than the terminal. */
  | { readonly skipped: number }

/** Read and not shown yet, at most. */
export const mostQueuedBytes = 256 * 1024
/** An entry of a terminal is far shorter; of a longer line nothing is shown. */
const longestLine = 1024 * 1024
/** Of one in the queue, besides its bytes. */
const itemBytes = 100
const lineFeed = 10
const entryStart = Buffer.from('{"at":')

interface Entry {
  readonly type?: unknown
  readonly text?: unknown
  readonly base64?: unknown
  readonly cols?: unknown
  readonly rows?: unknown
  readonly exitCode?: unknown
}

/**
 * A recording of a terminal while it is written, for one viewer: takes its bytes as they come, and keeps the newest of what a slow viewer has not
 * been shown. What was typed is left out.
 */
export class LiveView {
  readonly #queue = new Queue<Shown>()
  #queuedBytes = 0
  #skipped = 0
  /** Of a resize that was skipped. */
  #size: Extract<Shown, { readonly resize: unknown }> | undefined
  #partial: Buffer[] = []
  #partialBytes = 0
  /** Up to the next line feed: the middle of a line, or one that is too long. */
  #isBetween: boolean

  /** @param offset of the first byte; within a line, the rest of that is left out */
  constructor(offset: number) {
    this.#isBetween = offset > 0
  }

  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.#take(this.#whole(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** @returns undefined when there is nothing to show */
  next(): Shown | undefined {
    if (this.#skipped > 0) {
      const shown = { skipped: this.#skipped }
      this.#skipped = 0
      return shown
    }
    if (this.#size) {
      const shown = this.#size
      this.#size = undefined
      return shown
    }
    return this.#shift()
  }

  #shift(): Shown | undefined {
    const shown = this.#queue.shift()
    if (shown) this.#queuedBytes -= sizeOf(shown)
    return shown
  }

  #keep(piece: Buffer): void {
    if (this.#isBetween) return
    this.#partial.push(Buffer.from(piece)) // not the rest of a chunk that it is part of
    this.#partialBytes += piece.length
    if (this.#partialBytes <= longestLine) return
    this.#isBetween = true
    this.#forget()
  }

  #whole(piece: Buffer): Buffer | undefined {
    const isSkipped = this.#isBetween
    this.#isBetween = false
    if (isSkipped) return undefined
    if (this.#partial.length === 0) return piece
    const line = Buffer.concat([...this.#partial, piece])
    this.#forget()
    return line
  }

  #forget(): void {
    this.#partial = []
    this.#partialBytes = 0
  }

  #take(line: Buffer | undefined): void {
    if (!line?.subarray(0, entryStart.length).equals(entryStart)) return
    const shown = toShown(parse(line))
    if (!shown) return
    this.#queue.push(shown)
    this.#queuedBytes += sizeOf(shown)
    while (this.#queuedBytes > mostQueuedBytes) this.#skip(this.#shift())
  }

  #skip(shown: Shown | undefined): void {
    if (shown === undefined) return
    if ('bytes' in shown) this.#skipped += shown.bytes.length
    else if ('resize' in shown) this.#size = shown
  }
}

function sizeOf(shown: Shown): number {
  return itemBytes + ('bytes' in shown ? shown.bytes.length : 'notice' in shown ? shown.notice.length : 0)
}

function toShown({ type, text, base64, cols, rows, exitCode }: Entry): Shown | undefined {
  switch (type) {
    case 'output':
      return { bytes: typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.from(String(text)) }
    case 'terminal':
    case 'resize':
      return { resize: { cols: Number(cols), rows: Number(rows) } }
    case 'notice':
      return { notice: String(text) }
    case 'end':
      return typeof exitCode === 'number' ? { exit: exitCode } : undefined
    default:
      return undefined
  }
}

/** A line that is damaged shows nothing. */
function parse(line: Buffer): Entry {
  try {
    return JSON.parse(line.toString()) as Entry
  } catch {
    return {}
  }
}
