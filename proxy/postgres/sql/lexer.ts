/**
 * Tokens of PostgreSQL's SQL, after its own scanner (src/backend/parser/scan.l): nested comments, all forms of literals, their
 * continuation on the next line, dollar quotes, quoted names. Takes a text in pieces of any size, looks at each byte once
 * and keeps none of it. Left out: escapes of which UESCAPE tells the character, numbers and operators as such.
 */
import { Scanner } from '../../recording/sql/scanner.ts'
import type { Counter, TokenSink } from '../../recording/sql/tokens.ts'
import { isNameByte, isNameStart, isSpace, Word } from '../../recording/sql/word.ts'
import { Escape } from './escapes.ts'
import { keywords } from './vocabulary.ts'

type State =
  | 'code'
  | 'word'
  | 'u&'
  | 'name'
  | 'name-quote'
  | 'dash'
  | 'slash'
  | 'line-comment'
  | 'block-comment'
  | 'block-star'
  | 'block-slash'
  | 'string'
  | 'string-quote'
  | 'string-escape'
  | 'string-code'
  | 'dollar'
  | 'parameter'
  | 'body'

const [quote, doubleQuote, backslash, dollar] = [39, 34, 92, 36] as const
const [dash, slash, star, ampersand, lineFeed, carriageReturn] = [45, 47, 42, 38, 10, 13] as const
const mostTagBytes = 4096
const blanks: Readonly<Record<number, number>> = { 110: lineFeed, 114: carriageReturn, 116: 9, 98: 8, 102: 12 }
const endless: ReadonlySet<State> = new Set([
  'name',
  'block-comment',
  'block-star',
  'block-slash',
  'string',
  'string-escape',
  'string-code',
  'body',
])

export class Lexer extends Scanner {
  readonly #sink: TokenSink
  /** `standard_conforming_strings` is off: a backslash escapes in `'…'` too. */
  readonly #hasBackslashes: boolean
  readonly #word = new Word(keywords)
  #state: State = 'code'
  /** Where the current token began. */
  #from = 0
  #isEscaping: boolean | 'unicode' = false
  readonly #escape = new Escape()
  #isQuotedUnicode = false
  #quoteAt = 0
  #commentDepth = 0
  #delimiter: number[] = []
  #matched = 0
  #matchedFrom = 0
  #number = 0
  /** After a literal that the next one continues if a line break is between them. */
  #mayContinue = false
  #hasNewLine = false

  constructor(sink: TokenSink, counter: Counter, hasBackslashes: boolean) {
    super(counter)
    this.#sink = sink
    this.#hasBackslashes = hasBackslashes
  }

  /** Of the word that is being reported, as of {@link Word.nameOf}. */
  nameOf(isQuoted: boolean): string | undefined {
    return isQuoted && this.#isQuotedUnicode ? undefined : this.#word.nameOf(isQuoted)
  }

  /** Begins another text. */
  reset(): void {
    this.#state = 'code'
    this.#mayContinue = false
  }

  /** @returns whether a literal, name or comment has no end */
  finish(): boolean {
    const isOpen = endless.has(this.#state)
    const inLiteral = isOpen && this.#state !== 'name' && !this.#state.startsWith('block')
    if (inLiteral) this.#sink.literalEnd(this.#from, this.end)
    else if (this.#state === 'name') this.#endWord(true)
    else if (!isOpen) this.#settle()
    if (this.#state === 'word') this.#settle() // what a dollar quote could have become
    this.reset()
    return isOpen
  }

  protected override skip(bytes: Buffer, at: number, end: number, shift: number): number {
    let i = at
    switch (this.#state) {
      case 'line-comment':
        while (i < end && bytes[i] !== lineFeed && bytes[i] !== carriageReturn) i += 1
        return i
      case 'block-comment':
        while (i < end && bytes[i] !== star && bytes[i] !== slash) i += 1
        return i
      case 'string':
        while (i < end && bytes[i] !== quote && !(this.#isEscaping && bytes[i] === backslash)) i += 1
        break
      case 'body':
        if (this.#matched > 0) return at
        while (i < end && bytes[i] !== dollar) i += 1
        break
      default:
        return at
    }
    if (i > at) this.#sink.content(bytes, at, i, at + shift)
    return i
  }

  protected override step(byte: number, at: number): boolean {
    switch (this.#state) {
      case 'code':
        return this.#code(byte, at)
      case 'word':
      case 'u&':
        return this.#inWord(byte, at)
      case 'name':
        if (byte === doubleQuote) this.#state = 'name-quote'
        else this.#word.add(byte)
        return true
      case 'name-quote':
        if (byte !== doubleQuote) return this.#endWord(true)
        this.#word.add(byte)
        this.#state = 'name'
        return true
      case 'dollar':
      case 'parameter':
        return this.#afterDollar(byte)
      case 'body':
        return this.#inBody(byte, at)
      case 'string':
      case 'string-quote':
      case 'string-escape':
      case 'string-code':
        return this.#inString(byte, at)
      default:
        return this.#comment(byte)
    }
  }

  #code(byte: number, at: number): boolean {
    if (isSpace(byte)) {
      if (byte === lineFeed || byte === carriageReturn) this.#hasNewLine = true
      return true
    }
    if (byte === quote) {
      const continues = this.#mayContinue && this.#hasNewLine
      this.#beginString(at, continues ? this.#isEscaping : this.#hasBackslashes, continues)
      return true
    }
    this.#from = at
    if (byte === dash || byte === slash) {
      this.#state = byte === dash ? 'dash' : 'slash'
      return true
    }
    this.#mayContinue = false
    if (byte === dollar) {
      this.#state = 'dollar'
      this.#delimiter = [byte]
    } else if (byte === doubleQuote) this.#beginName(false)
    else if (isNameByte(byte)) {
      this.#word.begin(byte)
      this.#state = 'word'
    } else this.#sink.symbol(byte, at, at + this.width)
    return true
  }

  #inWord(byte: number, at: number): boolean {
    const isUnicode = this.#state === 'u&'
    if (isUnicode && byte === doubleQuote) this.#beginName(true)
    else if (isUnicode && byte === quote) this.#beginString(this.#from, 'unicode', false)
    else if (isUnicode) return this.#settle()
    else if (isNameByte(byte) || (byte === dollar && !this.#word.isNumber)) this.#word.add(byte)
    else if (byte === quote && this.#word.isOne('e')) this.#beginString(this.#from, true, false)
    else if (byte === quote && this.#word.isOne('bxn'))
      this.#beginString(this.#from, this.#hasBackslashes && this.#word.isOne('n'), false)
    else if (byte === ampersand && this.#word.isOne('u')) {
      this.#state = 'u&'
      this.#quoteAt = at
    } else return this.#endWord(false)
    return true
  }

  #beginName(isUnicode: boolean): void {
    this.#word.clear()
    this.#isQuotedUnicode = isUnicode
    this.#state = 'name'
  }

  /** @returns false: the byte after it is not consumed */
  #endWord(isQuoted: boolean): false {
    this.#state = 'code'
    const keyword = isQuoted && this.#isQuotedUnicode ? 'u&' : this.#word.keyword
    this.#sink.word(keyword, this.#from, this.end, isQuoted)
    return false
  }

  #beginString(from: number, isEscaping: boolean | 'unicode', continues: boolean): void {
    this.#from = from
    this.#isEscaping = isEscaping
    this.#state = 'string'
    this.#sink.literalStart(from, continues)
  }

  #inString(byte: number, at: number): boolean {
    if (this.#state === 'string-escape') return this.#afterBackslash(byte, at)
    if (this.#state === 'string-code') return this.#inCode(byte, at)
    if (this.#state === 'string') {
      this.#state = byte === quote ? 'string-quote' : 'string-escape'
      this.#quoteAt = at
    } else if (byte === quote) {
      this.#sink.escaped(quote, this.#quoteAt, at + this.width)
      this.#state = 'string'
    } else return this.#settle()
    return true
  }

  #afterBackslash(byte: number, at: number): boolean {
    const isUnicode = this.#isEscaping === 'unicode'
    this.#state = 'string'
    if (this.#escape.begin(byte, isUnicode)) this.#state = 'string-code'
    else if (isUnicode && byte !== backslash) {
      this.#sink.escaped(backslash, this.#quoteAt, at) // no escape, and a quote here ends the literal
      return false
    } else this.#sink.escaped(blanks[byte] ?? byte, this.#quoteAt, at + this.width)
    return true
  }

  #inCode(byte: number, at: number): boolean {
    const isPart = this.#escape.add(byte)
    if (isPart && !this.#escape.isComplete) return true
    const end = isPart ? at + this.width : this.end
    for (const decoded of this.#escape.bytes) this.#sink.escaped(decoded, this.#quoteAt, end)
    this.#state = 'string'
    return isPart
  }

  #afterDollar(byte: number): boolean {
    const isDigit = byte >= 48 && byte <= 57
    const delimiter = this.#delimiter
    if (this.#state === 'parameter' && isDigit) this.#number = Math.min(this.#number * 10 + byte - 48, 1e6)
    else if (this.#state === 'parameter') return this.#settle()
    else if (isDigit && delimiter.length === 1) {
      this.#number = byte - 48
      this.#state = 'parameter'
    } else if (byte === dollar) {
      delimiter.push(byte)
      this.#matched = 0
      this.#state = 'body'
      this.#sink.literalStart(this.#from, false)
    } else if ((isNameStart(byte) || (isDigit && delimiter.length > 1)) && delimiter.length < mostTagBytes) {
      delimiter.push(byte)
    } else return this.#settle()
    return true
  }

  /** The delimiter holds `$` at its ends only, so that a match that fails can begin again at this byte at the earliest. */
  #inBody(byte: number, at: number): boolean {
    const delimiter = this.#delimiter
    if (byte !== delimiter[this.#matched]) {
      for (let i = 0; i < this.#matched; i += 1)
        this.#sink.escaped(delimiter[i] as number, this.#matchedFrom + i, this.#matchedFrom + i + 1)
      this.#matched = 0
      return false
    }
    if (this.#matched === 0) this.#matchedFrom = at
    this.#matched += 1
    if (this.#matched === delimiter.length) {
      this.#state = 'code'
      this.#sink.literalEnd(this.#from, at + this.width)
    }
    return true
  }

  #comment(byte: number): boolean {
    switch (this.#state) {
      case 'dash':
        if (byte !== dash) return this.#settle()
        this.#state = 'line-comment'
        return true
      case 'slash':
        if (byte !== star) return this.#settle()
        this.#mayContinue = false
        this.#commentDepth = 1
        this.#state = 'block-comment'
        return true
      case 'line-comment':
        this.#state = 'code'
        return false
      case 'block-star':
      case 'block-slash':
        return this.#commentEdge(byte)
      default:
        this.#state = byte === star ? 'block-star' : 'block-slash'
        return true
    }
  }

  #commentEdge(byte: number): boolean {
    const isEnd = this.#state === 'block-star' && byte === slash
    const isBegin = this.#state === 'block-slash' && byte === star
    this.#state = 'block-comment'
    if (!isEnd && !isBegin) return false
    this.#commentDepth += isBegin ? 1 : -1
    if (this.#commentDepth === 0) this.#state = 'code'
    return true
  }

  /** Reports what ended before this byte. @returns false: the byte is not consumed */
  #settle(): false {
    const [state, from] = [this.#state, this.#from]
    this.#state = 'code'
    if (state === 'word' || state === 'name-quote') return this.#endWord(state === 'name-quote')
    if (state === 'string-quote') {
      this.#mayContinue = true
      this.#hasNewLine = false
      this.#sink.literalEnd(from, this.end)
    } else if (state === 'dash' || state === 'slash') {
      this.#mayContinue = false
      this.#sink.symbol(state === 'dash' ? dash : slash, from, from + 1)
    } else if (state === 'u&') {
      this.#sink.word('u', from, this.#quoteAt, false)
      this.#sink.symbol(ampersand, this.#quoteAt, this.#quoteAt + 1)
    } else if (state === 'parameter') this.#sink.parameter(this.#number, from, this.end)
    else if (state === 'dollar') this.#failedDollar()
    return false
  }

  /** Not a dollar quote after all: a symbol and a word. */
  #failedDollar(): void {
    const [, ...name] = this.#delimiter
    this.#sink.symbol(dollar, this.#from, this.#from + 1)
    if (name.length === 0) return
    this.#from += 1
    this.#word.clear()
    for (const byte of name) this.#word.add(byte)
    this.#state = 'word'
  }
}
