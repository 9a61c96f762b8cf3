import { Assignments } from '../../recording/sql/assignments.ts'
import { Chain } from '../../recording/sql/chain.ts'
import type { Counter, TokenSink } from '../../recording/sql/tokens.ts'
import { addSlot, Calls, type Format } from './calls.ts'
import { Keywords } from './connection-strings.ts'
import { Conversions } from './conversions.ts'
import { Executions, type Prepared } from './executions.ts'
import { Lexer } from './lexer.ts'
import {
  beforeNames,
  mayRun,
  openings,
  passwordNames,
  prefixes,
  roleOptions,
  roleWords,
  secretNames,
  statementsOf,
} from './vocabulary.ts'

/** What all levels of one text share. */
export interface Root extends Counter {
  readonly hasBackslashes: boolean
  readonly prepared: Prepared
  emit(from: number, to: number): void
  parameter(number: number): void
}

/** What a name with Unicode escapes is called is not read. */
const assignmentWords = { isPassword: (name: string) => passwordNames.has(name) || name === 'u&', mayRun }

/** Literals within literals that are read as SQL; deeper ones are shown as they are. */
const deepest = 3

/**
 * Finds the passwords that one level of SQL sets: a text, or what a literal in it holds. Nothing else is taken for a secret: what
 * could run must stay on record, also where it looks like a password (in comments, in literals of code that is built).
 */
export class SecretRules implements TokenSink {
  readonly lexer: Lexer
  readonly #root: Root
  readonly #level: number
  readonly #outer: Executions | undefined
  readonly #keywords: Keywords
  #child: SecretRules | undefined
  #format: Format | undefined
  /** This level is the content of a secret literal. */
  #isSecretText = false

  #isStart = true
  #kind: '' | 'new' | 'prepare' | 'role' | 'options' | 'subscription' | 'other' = ''
  #hasName = false
  /** `USER MAPPING`, unless a user has that name. */
  #maybeMapping = false
  readonly #calls = new Calls()
  readonly #assignments = new Assignments(assignmentWords)
  readonly #executions: Executions
  #optionsDepth = -1
  #previous = ''
  #beforePrevious = ''
  /** What the next literal is. */
  #awaits: '' | 'role' | 'value' | 'connection' = ''
  #mustEnd = false
  #garbageFrom = -1

  #isLiteral = false
  #lastLiteral: readonly [number, number] = [0, 0]
  #isSecret = false
  #needsPlain = false
  #pieceFrom = 0
  #contentEnd = 0
  readonly #chain = new Chain(
    () => this.#finishChain(),
    () => this.#unknownPiece(),
  )
  #isFed = false
  #isSeam = false
  readonly #conversions = new Conversions()

  /** @param outer whose literal this is */
  constructor(root: Root, level: number, outer?: Executions) {
    this.#outer = outer
    this.#root = root
    this.#level = level
    this.#executions = new Executions(level === 0 ? root.prepared : undefined)
    this.lexer = new Lexer(this, root, root.hasBackslashes)
    this.#keywords = new Keywords((from, to) => root.emit(from, to))
  }

  /** @param end of the text @returns whether it ends within a literal, name or comment */
  finish(end: number): boolean {
    const isOpen = this.lexer.finish()
    this.#finishChain()
    if (this.#garbageFrom >= 0) this.#root.emit(this.#garbageFrom, end)
    this.#garbageFrom = -1
    return isOpen
  }

  word(keyword: string, from: number, _to: number, isQuoted: boolean): void {
    if (this.#garbageFrom >= 0) return
    this.#chain.operand()
    if (this.#converted(keyword)) return
    const unquoted = isQuoted ? '' : keyword
    this.#assignments.word(unquoted, keyword, this.#calls.depth)
    this.#executions.word(unquoted, this.#isStart, this.#calls.depth, () => this.lexer.nameOf(isQuoted))
    if (unquoted === 'uescape') this.#otherEscapes()
    const awaited = this.#awaits
    this.#awaits = ''
    if (awaited === 'role' && keyword !== 'null') this.#garbage(from)
    if (this.#mustEnd && !roleOptions.has(keyword)) this.#garbage(from)
    this.#mustEnd = false
    const isName = this.#kind === 'role' && beforeNames.has(this.#previous)
    if (this.#isStart) this.#begin(isQuoted ? '' : keyword)
    else if (this.#kind !== 'other') this.#within(keyword)
    this.#push(isName ? '?' : keyword || '?')
    if (this.#level > 0 && openings.has(keyword)) this.#isStart = true
  }

  symbol(byte: number, from: number): void {
    if (this.#garbageFrom >= 0) return
    const symbol = String.fromCharCode(byte)
    this.#chain.symbol(symbol, this.#calls.depth, this.#calls.isConcat)
    if (this.#format && this.#percentSymbol(symbol)) return
    if ((this.#awaits === 'role' || this.#mustEnd) && symbol !== ';') this.#garbage(from)
    this.#awaits = ''
    this.#mustEnd = false
    if (symbol === '(') this.#open()
    else if (symbol === ')') this.#closeParenthesis()
    else if (symbol === ',') this.#comma()
    else if (symbol === ';') this.#endStatement()
    else this.#isStart = false
    this.#executions.symbol(symbol, this.#calls.depth)
    if (symbol === '=') this.#assignments.equals(this.#calls.depth, this.#previous)
    this.#push(symbol)
  }

  parameter(number: number): void {
    if (this.#garbageFrom >= 0) return
    this.#chain.operand()
    if (this.#isAwaited || this.#calls.slot) {
      this.#root.parameter(number)
      this.#outer?.parameter(number)
    }
    this.#mustEnd = this.#level === 0 && this.#awaits === 'role'
    this.#awaits = ''
    this.#isStart = false
    this.#push('$')
  }

  literalStart(from: number, continues: boolean): void {
    if (this.#garbageFrom >= 0) return
    this.#isLiteral = true
    this.#pieceFrom = from
    const slot = this.#calls.slot
    const isJoined = continues || this.#chain.isJoining
    this.#isSecret =
      this.#isAwaited || this.#mustEnd || slot !== undefined || (isJoined && this.#isSecret) || this.#isQuotedSecret()
    this.#needsPlain = slot === 's'
    if (isJoined) this.#isSeam = true
    else if (this.#chain.isNone || this.#calls.depth <= this.#chain.depth) this.#beginChain()
    else this.#isFed = false
    this.#isStart = false
  }

  content(bytes: Buffer, start: number, end: number, from: number): void {
    if (this.#garbageFrom >= 0) return
    this.#fed(from)
    if (this.#needsPlain && bytes.subarray(start, end).includes(39)) this.#isSecret = false
    if (!this.#isFed) return
    this.#contentEnd = from + end - start
    this.#root.steps += this.#keywords.feed(bytes, start, end, from)
    this.#child?.lexer.feed(bytes, start, end, from)
  }

  escaped(byte: number, from: number, to: number): void {
    if (this.#garbageFrom >= 0) return
    this.#fed(from)
    if (this.#needsPlain) this.#isSecret = false
    if (!this.#isFed) return
    this.#contentEnd = to
    this.#keywords.byte(byte, from, to)
    this.#child?.lexer.feedEscaped(byte, from, to)
  }

  literalEnd(from: number, to: number): void {
    if (this.#garbageFrom >= 0) return
    this.#isLiteral = false
    if (this.#isSecret) this.#root.emit(Math.max(from, this.#pieceFrom), to)
    this.#mustEnd = this.#level === 0 && this.#kind === 'role' && this.#isSecret
    if (this.#isFed) this.#chain.literal(this.#calls.depth)
    this.#awaits = ''
    this.#lastLiteral = [Math.max(from, this.#pieceFrom), to]
    this.#push('literal')
  }

  /** The text of this level goes on in another literal. */
  seam(end: number, start: number): void {
    if (!this.#isLiteral) return
    if (this.#isSecret) this.#root.emit(this.#pieceFrom, end)
    this.#pieceFrom = start
    this.#keywords.seam(end, start)
    this.#child?.seam(end, start)
  }

  /** At this place stands something whose text is not known. */
  opaque(): void {
    if (this.#isLiteral) this.#child?.opaque()
    else {
      this.#awaits = ''
      if (this.#kind === 'role') this.#hasName = true
      this.#push('?')
    }
  }

  reset(format: Format | undefined, isSecretText: boolean): void {
    this.#format = format
    this.#isSecretText = isSecretText
    this.lexer.reset()
    this.#isLiteral = false
    this.#isSecret = false
    this.#chain.clear()
    this.#conversions.clear()
    this.#mustEnd = false
    this.#executions.reset()
    this.#endStatement()
  }

  #endStatement(): void {
    this.#isStart = true
    this.#kind = ''
    this.#hasName = false
    this.#optionsDepth = -1
    this.#calls.clear()
    this.#assignments.clear()
    this.#executions.clear()
    this.#awaits = ''
    this.#previous = ''
  }

  #push(token: string): void {
    this.#beforePrevious = this.#previous
    this.#previous = token
  }

  #begin(keyword: string): void {
    this.#isStart = false
    this.#hasName = false
    if (prefixes.has(keyword)) this.#isStart = true
    else if (keyword === 'prepare') this.#kind = keyword
    else this.#kind = statementsOf.has(keyword) ? 'new' : 'other'
  }

  #within(keyword: string): void {
    switch (this.#kind) {
      case 'new':
        if (roleWords.has(keyword)) this.#kind = 'role'
        else if (keyword === 'server' || keyword === 'foreign') this.#kind = 'options'
        else this.#kind = keyword === 'subscription' ? 'subscription' : 'other'
        return
      case 'prepare':
        if (keyword === 'as') this.#isStart = true
        return
      case 'role':
        this.#inRole(keyword)
        return
      case 'options':
        if (this.#optionsDepth === this.#calls.depth && secretNames.has(keyword)) this.#awaits = 'value'
        return
      case 'subscription':
        if (keyword === 'connection') this.#awaits = 'connection'
        return
      default:
    }
  }

  #inRole(keyword: string): void {
    if (!this.#hasName) {
      this.#hasName = true
      this.#maybeMapping = keyword === 'mapping'
    } else if (this.#maybeMapping && (keyword === 'for' || keyword === 'if')) this.#kind = 'options'
    else if (keyword === 'set' || keyword === 'reset') this.#kind = 'other'
    else if (keyword === 'password' && !beforeNames.has(this.#previous)) this.#awaits = 'role'
  }

  /** `U&'…' UESCAPE '!'`: what it means has not been read. A connection string is no code, so that it may go as a whole. */
  #otherEscapes(): void {
    const isConnection = this.#kind === 'subscription' || this.#calls.isConnection
    if (isConnection && this.#previous === 'literal') this.#root.emit(...this.#lastLiteral)
  }

  /** What is here cannot be parsed, so nothing of the text has run: it may be the rest of a password. */
  #garbage(from: number): void {
    if (this.#level === 0 && this.#garbageFrom < 0) this.#garbageFrom = from
  }

  #open(): void {
    this.#calls.open(this.#previous)
    this.#assignments.open(this.#calls.depth, this.#previous)
    if (this.#kind === 'options' && this.#previous === 'options') this.#optionsDepth = this.#calls.depth
    this.#isStart = false
  }

  #closeParenthesis(): void {
    if (this.#optionsDepth === this.#calls.depth) this.#optionsDepth = -1
    this.#calls.close()
    this.#assignments.close(this.#calls.depth)
  }

  #comma(): void {
    this.#calls.comma()
    if (this.#calls.isSeparating && this.#chain.isJoining) this.#separator()
    this.#assignments.comma(this.#calls.depth)
  }

  /** `'alter role x password ' || quote_literal('secret')`, `'host=h password=' || trim('secret')` */
  #isQuotedSecret(): boolean {
    if (!this.#chain.isOperand) return false
    if (this.#keywords.awaitsSecret && this.#calls.isPlainSince(this.#chain.depth)) return true
    return this.#calls.isQuoting && this.#child?.awaitsSecret === true
  }

  get awaitsSecret(): boolean {
    return !this.#isLiteral && this.#isAwaited
  }

  /** What stands here is a secret. */
  get #isAwaited(): boolean {
    if (this.#awaits === 'role' || this.#awaits === 'value' || this.#executions.isSecret) return true
    return this.#assignments.isPassword(this.#calls.depth)
  }

  #beginChain(): void {
    this.#finishChain()
    this.#keywords.reset(this.#awaits === 'connection' || this.#calls.isConnection)
    const format = this.#calls.beginFormat() ?? this.#format
    this.#isFed = true
    this.#isSeam = false
    if (this.#level >= deepest) return
    this.#child ??= new SecretRules(this.#root, this.#level + 1, this.#executions)
    this.#child.reset(format, this.#isSecret || this.#isSecretText)
  }

  #finishChain(): void {
    if (this.#chain.isNone && !this.#isFed) return
    this.#chain.clear()
    this.#isFed = false
    this.#keywords.finish()
    this.#child?.finish(this.#contentEnd)
  }

  #fed(from: number): void {
    if (!this.#isSeam) return
    this.#isSeam = false
    this.#isFed = true
    this.#keywords.seam(this.#contentEnd, from)
    this.#child?.seam(this.#contentEnd, from)
  }

  /** `concat_ws` puts something between its arguments, a blank as a rule. */
  #separator(): void {
    this.#keywords.byte(32, this.#contentEnd, this.#contentEnd)
    this.#child?.lexer.feedEscaped(32, this.#contentEnd, this.#contentEnd)
  }

  #unknownPiece(): void {
    this.#isSecret = false
    this.#keywords.opaque(this.#contentEnd)
    this.#child?.opaque()
  }

  #percentSymbol(symbol: string): boolean {
    if (symbol === '%' && this.#previous === '=' && secretNames.has(this.#beforePrevious)) this.#awaits = 'value'
    return this.#conversions.symbol(symbol)
  }

  /** @returns whether the word belongs to a conversion such as `%2$L` */
  #converted(word: string): boolean {
    const place = this.#format && this.#conversions.word(word)
    if (!this.#format || place === undefined) return false
    if (place === 'more') return true
    const slot = place || this.#format.next
    this.#format.next = slot + 1
    const isAwaited = this.#isAwaited
    if (isAwaited || this.#isSecretText) addSlot(this.#format, slot, word === 'l' && isAwaited ? 'L' : 's')
    // A conversion stands for the name of a role too.
    if (this.#kind === 'role') this.#hasName = true
    this.#awaits = ''
    this.#push('?')
    return true
  }
}
