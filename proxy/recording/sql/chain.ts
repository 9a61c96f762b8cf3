/** Literals joined by `||`, by a line break, or as arguments of `concat` are one text. */
export class Chain {
  #state: '' | 'after' | '|' | 'joining' | 'operand' | 'operand|' = ''
  #depth = 0
  readonly #end: () => void
  readonly #opaque: () => void

  /** @param end the text is complete @param opaque something stands in it whose text is not known */
  constructor(end: () => void, opaque: () => void) {
    this.#end = end
    this.#opaque = opaque
  }

  clear(): void {
    this.#state = ''
  }

  get isNone(): boolean {
    return this.#state === ''
  }

  /** The next literal goes on with the text. */
  get isJoining(): boolean {
    return this.#state === 'joining'
  }

  /** Within something that is joined to the text. */
  get isOperand(): boolean {
    return this.#state === 'operand'
  }

  /** Parentheses around the text. */
  get depth(): number {
    return this.#depth
  }

  /** After a literal of the text. */
  literal(depth: number): void {
    this.#state = 'after'
    this.#depth = depth
  }

  /** A token that is no literal and no symbol. */
  operand(): void {
    if (this.#state === 'joining' || this.#state === 'operand|') this.#state = 'operand'
    else if (this.#state === 'after' || this.#state === '|') this.#end()
  }

  symbol(symbol: string, depth: number, isConcat: boolean): void {
    const isHere = depth === this.#depth
    if (this.#state === '') return
    if (symbol === '|' && isHere) {
      this.#bar()
      return
    }
    if (symbol === ',' && isHere && isConcat) {
      this.#join(this.#state === 'after')
      return
    }
    if (this.#state === 'joining' || this.#state === 'operand|') this.#state = 'operand'
    const isEnd = symbol === ';' || (isHere && (symbol === ',' || symbol === ')'))
    if (isEnd || this.#state !== 'operand') this.#end()
  }

  #bar(): void {
    if (this.#state === 'after') this.#state = '|'
    else if (this.#state === 'operand') this.#state = 'operand|'
    else if (this.#state === '|') this.#join(true)
    else if (this.#state === 'operand|') this.#join(false)
    else this.#end()
  }

  #join(isKnown: boolean): void {
    this.#state = 'joining'
    if (!isKnown) this.#opaque()
  }
}
