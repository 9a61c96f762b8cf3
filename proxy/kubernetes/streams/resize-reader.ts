import type { TerminalSize } from '../../ssm/terminal.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Of one size, `{"Width":80,"Height":24}`. */
const longestSize = 256
const mostCells = 65_535

/** Sizes of a terminal as a stream of JSON, in whatever pieces it comes. */
export class ResizeReader {
  #text = ''

  /** @returns those that are complete, without those of no terminal: 0 × 0 @throws WireError */
  push(bytes: Buffer): TerminalSize[] {
    const sizes: TerminalSize[] = []
    const pieces = (this.#text + bytes.toString('latin1')).split('}')
    this.#text = pieces.pop() ?? ''
    for (const piece of [...pieces, this.#text])
      if (piece.length > longestSize) throw new WireError('the size of a terminal is too long')
    for (const piece of pieces) {
      const size = readSize(`${piece}}`)
      if (size.cols > 0 && size.rows > 0) sizes.push(size)
    }
    return sizes
  }
}

function readSize(json: string): TerminalSize {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new WireError('the size of a terminal is not JSON')
  }
  // Go reads names of members in any case.
  const members = new Map(Object.entries(value ?? {}).map(([name, count]) => [name.toLowerCase(), count as unknown]))
  return { cols: readCells(members.get('width')), rows: readCells(members.get('height')) }
}

function readCells(count: unknown = 0): number {
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > mostCells)
    throw new WireError('the size of a terminal has no count of cells')
  return count
}
