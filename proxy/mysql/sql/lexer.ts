/**
 * Tokens of MySQL's and MariaDB's SQL, after their own scanner (sql/sql_lex.cc): three kinds of comments and those that hold code,
 * literals with and without backslashes, names in backticks, hexadecimal literals. Takes a text in pieces of any size, looks at
 * each byte once and keeps none of it. Left out: MySQL 9's `$$` around code of other languages; numbers and operators as such.
 */
import { Scanner } from '../../recording/sql/scanner.ts'
import type { TokenSink } from '../../recording/sql/tokens.ts'
import { isNameByte, isSpace, Word } from '../../recording/sql/word.ts'
import { BlockComment } from './block-comment.ts'
import type { Reading, TextCounter } from './reading.ts'
import { keywords } from './vocabulary.ts'

type State =
  | 'code'
  | 'word'
  | 'name'
  | 'name-quote'
  | 'dash'
  | 'dashes'
  | 'slash'
  | 'star'
  | 'line-comment'
  | 'block-comment'
  | 'string'
  | 'string-quote'
  | 'string-escape'
  | 'zero-x'
  | 'hex'
  | 'hex-quoted'

const [quote, doubleQuote, backtick, backslash, dollar] = [39, 34, 96, 92, 36] as const
const [dash, slash, star, hash, question, lineFeed, letterX] = [45, 47, 42, 35, 63, 10, 120] as const
const escapes: Readonly<Record<number, number>> = { 48: 0, 98: 8, 110: lineFeed, 114: 13, 116: 9, 90: 26 }
/** Blanks of some character sets, where they do not break a line. */
const mayBeBlank = (byte: number) => byte === 0xa0 || byte === 0xff
const isTrail = (byte: number) => byte >= 0x40 && byte !== 0x7f && byte !== 0xff
const isDigit = (byte: number) => byte >= 48 && byte <= 57
const endless: ReadonlySet<State> = new Set(['name', 'string', 'string-escape', 'hex-quoted'])

export class Lexer extends Scanner {
  readonly #sink: TokenSink
  readonly #reading: Reading
  readonly #counter: TextCounter
  readonly #word = new Word(keywords)
  #state: State = 'code'
  /** Where the current token began. */
  #from = 0
  /** What ends the literal or name. */
  #delimiter = 0
  #quoteAt = 0
  /** The first byte of a character of two was read; where readings may differ, what some take for one. */
  #isInCharacter = false
  /** In some character sets the backslash that was read last is the end of a letter. */
  #mayBeLetter = false
  /** Within a comment whose content is code. */
  #isInCode = false
  readonly #comment: BlockComment
  #nibble = -1
  #nibbleAt = 0
  #parameters = 0

  constructor(sink: TokenSink, counter: TextCounter, reading: Reading) {
    super(counter)
    this.#counter = counter
    this.#sink = sink
    this.#reading = reading
    this.#comment = new BlockComment(reading)
  }

  /** Of the word that is being reported, as of {@link Word.nameOf}. */
  nameOf(): string | undefined {
    return this.#word.nameOf(false)
  }

  /** It tells the encoding of the literal behind it: `_utf8mb4'…'`. */
  get isIntroducer(): boolean {
    return this.#word.beginsWith('_')
  }

  /** Begins another text. */
  reset(): void {
    this.#state = 'code'
    this.#isInCharacter = false
    this.#isInCode = false
    this.#parameters = 0
  }

  /** @returns whether a literal, name or comment has no end */
  finish(): boolean {
    const isOpen = this.#state === 'block-comment' ? this.#comment.isEndless : endless.has(this.#state)
    if (this.#state === 'string' || this.#state === 'string-escape' || this.#state === 'hex-quoted')
      this.#sink.literalEnd(this.#from, this.end)
    else if (this.#state === 'name') this.#endWord(true)
    else if (!isOpen) this.#settle()
    if (this.#state === 'word') this.#settle() // what a hexadecimal literal could have become
    this.reset()
    return isOpen
  }

  protected override skip(bytes: Buffer, at: number, end: number, shift: number): number {
    let i = at
    switch (this.#state) {
      case 'line-comment':
        while (i < end && bytes[i] !== lineFeed) i += 1
        return i
      case 'block-comment':
        return this.#comment.skip(bytes, at, end)
      case 'string':
        i = this.#skipCharacters(bytes, at, end)
        if (i > at) this.#sink.content(bytes, at, i, at + shift)
        return i
      default:
        return at
    }
  }

  #skipCharacters(bytes: Buffer, at: number, end: number): number {
    const { backslashes, isLead, mayDiffer } = this.#reading
    for (let i = at; i < end; i += 1) {
      const byte = bytes[i] as number
      if (this.#isInCharacter && !mayDiffer) {
        this.#isInCharacter = false
        if (isTrail(byte)) continue
      }
      if (byte === this.#delimiter || (backslashes && byte === backslash)) return i
      this.#isInCharacter = false
      if (byte >= 0x80 && isLead(byte)) this.#isInCharacter = true
    }
    return end
  }

  protected override step(byte: number, at: number): boolean {
    switch (this.#state) {
      case 'code':
        return this.#code(byte, at)
      case 'word':
        return this.#inWord(byte, at)
      case 'name':
      case 'name-quote':
        return this.#inName(byte)
      case 'string':
      case 'string-quote':
      case 'string-escape':
        return this.#inString(byte, at)
      case 'zero-x':
      case 'hex':
      case 'hex-quoted':
        return this.#inHex(byte, at)
      default:
        return this.#inComment(byte)
    }
  }

  #code(byte: number, at: number): boolean {
    if (isSpace(byte) || byte === this.#reading.highBlank) return true
    if (mayBeBlank(byte)) this.#differs()
    this.#from = at
    this.#isInCharacter = byte >= 0x80 && this.#reading.isLead(byte)
    if (byte === quote || (byte === doubleQuote && !this.#reading.ansiQuotes)) this.#beginString(byte)
    else if (byte === backtick || byte === doubleQuote) {
      this.#word.clear()
      this.#delimiter = byte
      this.#state = 'name'
    } else if (isNameByte(byte) || byte === dollar) {
      this.#word.begin(byte)
      this.#state = 'word'
    } else if (byte === hash) this.#state = 'line-comment'
    else if (byte === dash) this.#state = 'dash'
    else if (byte === slash) this.#state = 'slash'
    else if (byte === star && this.#isInCode) this.#state = 'star'
    else if (byte === question) {
      this.#parameters += 1
      this.#sink.parameter(this.#parameters, at, at + this.width)
    } else this.#sink.symbol(byte, at, at + this.width)
    return true
  }

  #inWord(byte: number, at: number): boolean {
    const isSecond = this.#isSecond(byte)
    if (isSecond || ((isNameByte(byte) || byte === dollar) && byte !== this.#reading.highBlank)) {
      if (mayBeBlank(byte)) this.#differs()
      if (byte === letterX && this.#word.isOne('0')) {
        this.#quoteAt = at
        this.#state = 'zero-x'
        return true
      }
      this.#word.add(byte)
      this.#isInCharacter = !isSecond && byte >= 0x80 && this.#reading.isLead(byte)
    } else if (byte === quote && this.#word.isOne('nb')) this.#beginString(byte)
    else if (byte === quote && this.#word.isOne('x')) this.#beginHex('hex-quoted')
    else return this.#endWord(false)
    return true
  }

  #inName(byte: number): boolean {
    const isSecond = this.#isSecond(byte)
    if (this.#state === 'name-quote') {
      if (byte !== this.#delimiter) return this.#endWord(true)
      this.#word.add(byte)
      this.#state = 'name'
    } else if (byte === this.#delimiter && !isSecond) this.#state = 'name-quote'
    else {
      this.#word.add(byte)
      this.#isInCharacter = !isSecond && byte >= 0x80 && this.#reading.isLead(byte)
    }
    return true
  }

  /** The second byte of a character, whatever it looks like. */
  #isSecond(byte: number): boolean {
    const isSecond = this.#isInCharacter && isTrail(byte)
    this.#isInCharacter = false
    if (!this.#reading.mayDiffer) return isSecond
    if (isSecond && !isNameByte(byte)) this.#differs()
    return false
  }

  #differs(): void {
    if (this.#reading.mayDiffer) this.#counter.differs = true
  }

  /** @returns false: the byte after it is not consumed */
  #endWord(isQuoted: boolean): false {
    this.#state = 'code'
    this.#sink.word(this.#word.keyword, this.#from, this.end, isQuoted)
    return false
  }

  #beginString(delimiter: number): void {
    this.#delimiter = delimiter
    this.#isInCharacter = false
    this.#state = 'string'
    this.#sink.literalStart(this.#from, false)
  }

  #inString(byte: number, at: number): boolean {
    if (this.#state === 'string-escape') {
      this.#state = 'string'
      if (this.#mayBeLetter && (byte === this.#delimiter || byte === backslash)) this.#differs()
      this.#isInCharacter = this.#reading.mayDiffer && this.#reading.isLead(byte)
      this.#sink.escaped(escapes[byte] ?? byte, this.#quoteAt, at + this.width)
    } else if (this.#state === 'string') {
      this.#state = byte === this.#delimiter ? 'string-quote' : 'string-escape'
      this.#quoteAt = at
      this.#mayBeLetter = this.#isInCharacter
      this.#isInCharacter = false
    } else if (byte === this.#delimiter) {
      this.#sink.escaped(byte, this.#quoteAt, at + this.width)
      this.#state = 'string'
    } else return this.#settle()
    return true
  }

  #beginHex(state: 'hex' | 'hex-quoted'): void {
    this.#state = state
    this.#nibble = -1
    this.#sink.literalStart(this.#from, false)
  }

  /** `0x…` with a small x, and `x'…'`. */
  #inHex(byte: number, at: number): boolean {
    const digit = hexDigit(byte)
    if (this.#state === 'zero-x') {
      if (digit >= 0) this.#beginHex('hex')
      else {
        this.#word.add(letterX)
        this.#state = 'word'
      }
      return false
    }
    const isQuoted = this.#state === 'hex-quoted'
    if (digit >= 0 && this.#nibble >= 0) {
      this.#sink.escaped(this.#nibble * 16 + digit, this.#nibbleAt, at + this.width)
      this.#nibble = -1
    } else if (digit >= 0) {
      this.#nibble = digit
      this.#nibbleAt = at
    } else if (!isQuoted) {
      this.#state = 'code'
      this.#sink.literalEnd(this.#from, this.end)
      return false
    } else if (byte === quote) {
      this.#state = 'code'
      this.#sink.literalEnd(this.#from, at + this.width)
    }
    return true
  }

  #inComment(byte: number): boolean {
    switch (this.#state) {
      case 'dash':
        if (byte !== dash) return this.#settle()
        this.#state = 'dashes'
        return true
      case 'dashes':
        if (mayBeBlank(byte)) this.#differs()
        if (byte > 32 && byte !== this.#reading.highBlank && byte !== 127) return this.#settle()
        this.#state = 'line-comment'
        return false
      case 'line-comment':
        this.#state = 'code'
        return true
      case 'slash':
        if (byte !== star) return this.#settle()
        this.#state = 'block-comment'
        this.#comment.begin()
        return true
      case 'star':
        if (byte !== slash) return this.#settle()
        this.#isInCode = false
        this.#state = 'code'
        return true
      default:
        return this.#inBlockComment(byte)
    }
  }

  #inBlockComment(byte: number): boolean {
    const step = this.#comment.step(byte)
    if (step === 'on' || step === 'again') return step === 'on'
    this.#state = 'code'
    if (step === 'end') return true
    this.#isInCode = true
    const { digits } = this.#comment
    if (digits !== '') this.#beginNumber(digits)
    return false
  }

  #beginNumber(digits: string): void {
    this.#from = this.end - digits.length
    this.#word.clear()
    for (const digit of Buffer.from(digits)) this.#word.add(digit)
    this.#state = 'word'
  }

  /** Reports what ended before this byte. @returns false: the byte is not consumed */
  #settle(): false {
    const [state, from] = [this.#state, this.#from]
    this.#state = 'code'
    if (state === 'word' || state === 'name-quote') return this.#endWord(state === 'name-quote')
    if (state === 'string-quote' || state === 'hex') this.#sink.literalEnd(from, this.end)
    else if (state === 'dash' || state === 'dashes') {
      this.#sink.symbol(dash, from, from + 1)
      if (state === 'dashes') this.#sink.symbol(dash, from + 1, from + 2)
    } else if (state === 'slash') this.#sink.symbol(slash, from, from + 1)
    else if (state === 'star') this.#sink.symbol(star, from, from + 1)
    else if (state === 'zero-x') {
      this.#word.add(letterX)
      this.#state = 'word'
    }
    return false
  }
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 48
  const letter = byte | 0x20
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
