/** Conversions of a format string, such as `%L` and `%2$s`, read from its tokens. */
export class Conversions {
  #state: '' | '%' | 'number' | '$' = ''
  #slot = 0

  clear(): void {
    this.#state = ''
  }

  /** @returns whether it belongs to a conversion */
  symbol(symbol: string): boolean {
    if (symbol === '%') {
      this.#state = this.#state === '%' ? '' : '%'
      this.#slot = 0
      return true
    }
    const isPosition = symbol === '$' && this.#state === 'number'
    this.#state = isPosition ? '$' : ''
    return isPosition
  }

  /** @returns the argument that the conversion takes, 0: the next; 'more': it goes on; undefined: the word is no part of one */
  word(word: string): number | 'more' | undefined {
    if (this.#state === '') return undefined
    if (this.#state === '%' && /^\d+$/.test(word)) {
      this.#slot = Number(word)
      this.#state = 'number'
      return 'more'
    }
    this.#state = ''
    return word === 'l' || word === 's' || word === 'i' ? this.#slot : undefined
  }
}
