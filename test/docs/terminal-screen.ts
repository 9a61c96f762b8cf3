/** What a recorded shell leaves on the screen: lines, colours, carriage returns. What draws all over it is left out. */
import { SafeTerminalText } from '../../src/cli/operate/safe-terminal-text.ts'

interface Style {
  /** 0 to 15; null: that of the terminal. */
  readonly colour: number | null
  readonly isBold: boolean
}

export interface Cell extends Style {
  readonly character: string
}

const plain: Style = { colour: null, isBold: false }
const esc = String.fromCharCode(27)
const sequence = new RegExp(`${esc}\\[([\\d;:]*)([A-Za-z@\`])|${esc}[78DEM]|([\\s\\S])`, 'gu')

export class Screen {
  readonly #safe = new SafeTerminalText()
  readonly #cols: number
  readonly lines: Cell[][] = [[]]
  #column = 0
  #style = plain

  constructor(cols: number) {
    this.#cols = cols
  }

  write(text: string): void {
    for (const [, parameters = '', final, character] of this.#safe.push(text).matchAll(sequence)) {
      if (character !== undefined) this.#put(character)
      else if (final === 'm') this.#style = parameters.split(';').reduce(restyled, this.#style)
      else if (final === 'K') this.#line.length = Math.min(this.#line.length, this.#column)
    }
  }

  /** On a line of its own. */
  note(text: string): void {
    if (this.#line.length > 0) this.#newLine()
    this.#column = 0
    const before = this.#style
    this.#style = { colour: 3, isBold: false }
    this.write(text)
    this.#style = before
    this.#newLine()
    this.#column = 0
  }

  get #line(): Cell[] {
    return this.lines.at(-1) ?? []
  }

  #newLine(): void {
    this.lines.push([])
  }

  #put(character: string): void {
    if (character === '\n') this.#newLine()
    else if (character === '\r') this.#column = 0
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1)
    else if (character === '\t') this.#column = Math.min(this.#cols - 1, (Math.floor(this.#column / 8) + 1) * 8)
    else {
      if (this.#column >= this.#cols) {
        this.#newLine()
        this.#column = 0
      }
      while (this.#line.length < this.#column) this.#line.push({ ...plain, character: ' ' })
      this.#line[this.#column] = { ...this.#style, character }
      this.#column += 1
    }
  }
}

function restyled(style: Style, parameter: string): Style {
  const code = Number(parameter)
  if (code === 0) return plain
  if (code === 1) return { ...style, isBold: true }
  if (code === 22) return { ...style, isBold: false }
  if (code === 39) return { ...style, colour: null }
  if (code >= 30 && code <= 37) return { ...style, colour: code - 30 }
  if (code >= 90 && code <= 97) return { ...style, colour: code - 82 }
  return style
}
