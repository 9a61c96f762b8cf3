import type { IBufferLine, ILink, ILinkProvider, Terminal } from '@xterm/xterm'
import { findAddresses } from './addresses.ts'

/** Of one line of text, up and down from the row that is asked for. */
const mostRows = 30

interface Cell {
  /** Both from 1. */
  readonly x: number
  readonly y: number
}

/** Addresses that programs write without marking them. They lead nowhere by themselves. */
export class BareLinks implements ILinkProvider {
  readonly #terminal: Terminal
  readonly #activate: (event: MouseEvent, address: string) => void

  constructor(terminal: Terminal, activate: (event: MouseEvent, address: string) => void) {
    this.#terminal = terminal
    this.#activate = activate
  }

  provideLinks(y: number, callback: (links: ILink[] | undefined) => void): void {
    const { text, cells } = this.#lineAround(y - 1)
    const links = findAddresses(text).flatMap(({ start, end, address }): ILink[] => {
      const [first, last] = [cells[start], cells[end - 1]]
      if (!first || !last || first.y > y || last.y < y) return []
      return [
        { range: { start: first, end: last }, text: address, activate: (event) => this.#activate(event, address) },
      ]
    })
    callback(links.length > 0 ? links : undefined)
  }

  /** The line of which that row is a part, with the place of each of its UTF-16 units. */
  #lineAround(row: number): { readonly text: string; readonly cells: readonly Cell[] } {
    const buffer = this.#terminal.buffer.active
    let top = row
    while (buffer.getLine(top)?.isWrapped && row - top < mostRows) top -= 1
    let text = ''
    const cells: Cell[] = []
    for (let at = top; at - row < mostRows; at += 1) {
      const line = buffer.getLine(at)
      if (!line || (at > top && !line.isWrapped)) break
      text += readRow(line, at + 1, cells)
    }
    return { text, cells }
  }
}

function readRow(line: IBufferLine, y: number, cells: Cell[]): string {
  let text = ''
  for (let x = 0; x < line.length; x += 1) {
    const cell = line.getCell(x)
    if (!cell || cell.getWidth() === 0) continue // the second half of a wide character
    const shown = cell.getChars() || ' '
    for (let i = 0; i < shown.length; i += 1) cells.push({ x: x + 1, y })
    text += shown
  }
  return text
}
