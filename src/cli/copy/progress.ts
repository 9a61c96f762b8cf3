import { performance } from 'node:perf_hooks'
import { printable } from '../../../proxy/printable.ts'

const everyMs = 100
const clearLine = '\r\u001b[K'

/** How far the file is that is under way, on one line of a terminal; elsewhere nothing. */
export class Progress {
  readonly #out: NodeJS.WriteStream
  #name = ''
  #size = 0
  #bytes = 0
  #shownAt = 0

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  begin(name: string, size: number): void {
    this.#name = name
    this.#size = size
    this.#bytes = 0
  }

  add(bytes: number): void {
    this.#bytes += bytes
    if (!this.#out.isTTY || performance.now() - this.#shownAt < everyMs) return
    this.#shownAt = performance.now()
    const percent = this.#size === 0 ? 100 : Math.floor((100 * this.#bytes) / this.#size)
    const far = ` ${percent} % of ${spokenBytes(this.#size)}`
    const width = Math.max(8, this.#out.columns - far.length - 1)
    this.#out.write(`${clearLine}${shortened(printable(this.#name), width)}${far}`)
  }

  /** The line is free for something else. */
  clear(): void {
    if (this.#shownAt > 0) this.#out.write(clearLine)
    this.#shownAt = 0
  }
}

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`
}

/** In decimal units, as disks are sold. */
export function spokenBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const
  let size = bytes
  let unit = 0
  for (; size >= 1000 && unit < units.length - 1; unit += 1) size /= 1000
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}
