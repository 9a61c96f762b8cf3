/** A line longer than this is told in parts. */
const longestLine = 2000
const [tab, lineFeed, carriageReturn, space, del, lastControl] = [0x09, 0x0a, 0x0d, 0x20, 0x7f, 0x9f]

type State = 'text' | 'escape' | 'sequence' | 'string' | 'string-escape'

/**
 * The lines that a terminal shows, without what moves its cursor or colours them, so that text can be found in recordings although it
 * was echoed one character at a time. Not a screen: what programs draw over is told as it was written.
 */
export class LineText {
  #line: string[] = []
  /** Where the next character goes. */
  #at = 0
  #state: State = 'text'
  /** It stands in the text as it is shown. */
  #isLiteral = true

  /** @returns lines that are complete now and do not stand in this text as they are shown */
  push(text: string): string[] {
    const lines: string[] = []
    if (this.#line.length > 0) this.#isLiteral = false
    const isFresh = this.#line.length === 0 && this.#isLiteral && this.#state === 'text'
    for (const character of isFresh ? text.slice(endOfPlainLines(text)) : text) {
      if (this.#state !== 'text') this.#skip(character)
      else if (character === '\n') lines.push(...this.#end())
      else this.#write(character)
      if (this.#line.length >= longestLine) lines.push(...this.#end())
    }
    return lines
  }

  /** What is left. */
  end(): string[] {
    this.#isLiteral = false
    return this.#end()
  }

  #end(): string[] {
    const line = this.#line.join('').trimEnd()
    const isTold = line !== '' && !this.#isLiteral
    this.#line = []
    this.#at = 0
    this.#isLiteral = true
    return isTold ? [line] : []
  }

  #write(character: string): void {
    if (character === '\u001b' || character === '\u009b') {
      this.#state = character === '\u001b' ? 'escape' : 'sequence'
      this.#isLiteral = false
    } else if (character === '\r') this.#at = 0
    else if (character === '\b') this.#at = Math.max(0, this.#at - 1)
    else if (character === '\t' || !isControl(character)) {
      if (this.#at !== this.#line.length) this.#isLiteral = false
      this.#line[this.#at] = character
      this.#at += 1
    }
  }

  #skip(character: string): void {
    if (this.#state === 'escape') this.#state = afterEscape(character)
    else if (this.#state === 'sequence') {
      if (character >= '@' && character <= '~') {
        this.#state = 'text'
        if (character === 'K') this.#line.length = Math.min(this.#line.length, this.#at)
      }
    } else if (this.#state === 'string-escape') this.#state = character === '\\' ? 'text' : afterEscape(character)
    else if (character === '\u001b') this.#state = 'string-escape'
    else if (character === '\u0007' || character === '\u009c') this.#state = 'text'
  }
}

/** Where whole lines end that stand in the text as they are shown: they need no look at each character. */
function endOfPlainLines(text: string): number {
  let end = 0
  for (let at = 0; at < text.length && at - end < longestLine; at += 1) {
    const code = text.charCodeAt(at)
    if (code === lineFeed) end = at + 1
    else if (code === carriageReturn && text.charCodeAt(at + 1) === lineFeed) continue
    else if ((code < space && code !== tab) || (code >= del && code <= lastControl)) break
  }
  return end
}

function isControl(character: string): boolean {
  return character < ' ' || (character >= '\u007f' && character <= '\u009f')
}

/** ECMA-48: CSI, strings (DCS, OSC, SOS, PM, APC), intermediates, and functions of two characters. */
function afterEscape(character: string): State {
  if (character === '[') return 'sequence'
  if ('P]X^_'.includes(character)) return 'string'
  return character >= ' ' && character <= '/' ? 'escape' : 'text'
}
