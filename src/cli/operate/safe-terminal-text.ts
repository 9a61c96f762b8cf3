const longestSequence = 64
/** Final characters of sequences that move the cursor, erase, scroll or colour. */
const harmless = 'ABCDEFGHJKLMPSTX@`adefgmrsu'
/** Private modes: wrapping, whether there is a cursor, the alternate screen. */
const harmlessModes = new Set(['7', '25', '47', '1047', '1049'])
/** Save and restore the cursor, index, next line, reverse index. */
const harmlessEscapes = '78DEM'
/** Reorder what is read. */
const reordering = /[\u202a-\u202e\u2066-\u2069]/u

type State = 'text' | 'escape' | 'skip-one' | 'sequence' | 'string' | 'string-escape'

/**
 * What a recorded terminal showed, for another one: text, and what moves its cursor, erases or colours. Left out is whatever could harm
 * who watches: titles, clipboard and links, queries that the terminal would answer as if it were typed, the mouse, modes of its keys.
 * A title or the like ends with its line at the latest, so that it hides nothing behind it.
 */
export class SafeTerminalText {
  #state: State = 'text'
  #sequence = ''

  /** @param text goes on where the last one ended */
  push(text: string): string {
    let safe = ''
    for (const character of text) safe += this.#state === 'text' ? this.#read(character) : this.#follow(character)
    return safe
  }

  #read(character: string): string {
    if (character === '\u001b') this.#state = 'escape'
    else if (character === '\u009b') this.#begin()
    else if ('\u0090\u0098\u009d\u009e\u009f'.includes(character)) this.#state = 'string'
    else if ('\t\n\r\b'.includes(character)) return character
    else if (character >= ' ' && !(character >= '\u007f' && character <= '\u009f')) return visible(character)
    return ''
  }

  #follow(character: string): string {
    if (character === '\u0018' || character === '\u001a')
      this.#state = 'text' // they cancel what was begun
    else if (this.#state === 'skip-one') this.#state = 'text'
    else if (this.#state === 'escape') return this.#afterEscape(character)
    else if (this.#state === 'sequence') return this.#inSequence(character)
    else if (this.#state === 'string-escape') {
      if (character === '\\') this.#state = 'text'
      else return this.#afterEscape(character)
    } else if (character === '\u001b') this.#state = 'string-escape'
    else if (character === '\u0007' || character === '\u009c') this.#state = 'text'
    else if (character === '\n' || character === '\r') {
      this.#state = 'text'
      return character
    }
    return ''
  }

  #begin(): void {
    this.#state = 'sequence'
    this.#sequence = ''
  }

  #afterEscape(character: string): string {
    this.#state = 'text'
    if (character === '[') this.#begin()
    else if ('P]X^_'.includes(character)) this.#state = 'string'
    else if (character === '\u001b') this.#state = 'escape'
    else if (character >= ' ' && character <= '/') this.#state = 'skip-one'
    else if (harmlessEscapes.includes(character)) return `\u001b${character}`
    return ''
  }

  #inSequence(character: string): string {
    if (character === '\u001b') this.#state = 'escape'
    else if (character >= '@' && character <= '~') {
      this.#state = 'text'
      if (isHarmless(this.#sequence, character)) return `\u001b[${this.#sequence}${character}`
    } else if (this.#sequence.length < longestSequence) this.#sequence += character
    return ''
  }
}

function isHarmless(parameters: string, final: string): boolean {
  if (parameters.length >= longestSequence) return false
  if (/^[\d;:]*$/.test(parameters)) return harmless.includes(final)
  const [, modes] = /^\?([\d;]+)$/.exec(parameters) ?? []
  return (final === 'h' || final === 'l') && (modes?.split(';').every((mode) => harmlessModes.has(mode)) ?? false)
}

function visible(character: string): string {
  return reordering.test(character) ? '' : character
}
