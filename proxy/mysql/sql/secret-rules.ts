import { Assignments } from '../../recording/sql/assignments.ts'
import { Chain } from '../../recording/sql/chain.ts'
import type { Found } from '../../recording/sql/finder.ts'
import type { TokenSink } from '../../recording/sql/tokens.ts'
import { Calls } from './calls.ts'
import { Credentials } from './credentials.ts'
import { Executions, type SecretParameters } from './executions.ts'
import { Lexer } from './lexer.ts'
import { Pairs } from './pairs.ts'
import type { Reading, TextCounter } from './reading.ts'
import type { StatementEnds } from './statement-ends.ts'
import { connectionOptions, mayRun, openings, passwordNames } from './vocabulary.ts'

/** What all levels of one text share. */
export interface Root extends TextCounter, Found {
  readonly reading: Reading
  readonly ends: StatementEnds
  readonly secretParameters: SecretParameters
}

/** Literals within literals that are read as SQL; deeper ones are shown as they are. */
const deepest = 3
const assignmentWords = { isPassword: (name: string) => passwordNames.has(name), mayRun }

/**
 * Finds the passwords that one level of SQL sets: a text, or what a literal in it holds. Nothing else is taken for a secret: what
 * could run must stay on record, also where it looks like a password (in comments, in literals of code that is built).
 */
export class SecretRules implements TokenSink {
  readonly lexer: Lexer
  readonly #root: Root
  readonly #level: number
  readonly #outer: Executions | undefined
  readonly #pairs: Pairs
  #child: SecretRules | undefined

  #isStart = true
  readonly #credentials: Credentials
  readonly #calls = new Calls()
  readonly #assignments = new Assignments(assignmentWords)
  readonly #executions: Executions
  #previous = ''
  #beforePrevious = ''
  #garbageFrom = -1

  #isLiteral = false
  #isSecret = false
  #isConnection = false
  #pieceFrom = 0
  #contentEnd = 0
  readonly #chain = new Chain(
    () => this.#finishChain(),
    () => this.#unknownPiece(),
  )
  #isFed = false
  #isSeam = false

  /** @param outer whose literal this is */
  constructor(root: Root, level: number, outer?: Executions) {
    this.#root = root
    this.#level = level
    this.#outer = outer
    this.#credentials = new Credentials(level > 0)
    this.#executions = new Executions(root.secretParameters)
    this.lexer = new Lexer(this, root, root.reading)
    this.#pairs = new Pairs((from, to) => root.emit(from, to))
  }

  /** @param end of the text @returns whether it ends within a literal, name or comment */
  finish(end: number): boolean {
    const isOpen = this.lexer.finish()
    this.#finishChain()
    if (this.#garbageFrom >= 0) this.#root.emit(this.#garbageFrom, end)
    this.#garbageFrom = -1
    return isOpen
  }

  word(keyword: string, from: number, to: number, isQuoted: boolean): void {
    if (this.#garbageFrom >= 0) return
    if (!isQuoted && keyword === '' && this.lexer.isIntroducer) return
    this.#chain.operand()
    const unquoted = isQuoted ? '' : keyword
    if (this.#isStart) this.#begin(isQuoted ? undefined : this.lexer.nameOf())
    const place = this.#credentials.word(unquoted, isQuoted, this.#isStart, this.#previous)
    if (place === 'secret') this.#root.emit(from, to)
    else if (place === 'garbage') this.#garbage(from)
    this.#executions.word(unquoted, this.#isStart, () => this.lexer.nameOf())
    this.#assign(unquoted, keyword)
    this.#isStart = openings.has(unquoted) && this.#calls.depth === 0
    this.#push(keyword || '?')
  }

  symbol(byte: number, from: number, to: number): void {
    if (this.#garbageFrom >= 0) return
    const symbol = String.fromCharCode(byte)
    if (this.#isStart && symbol !== ';') this.#begin()
    this.#chain.symbol(symbol, this.#calls.depth, this.#calls.isConcat)
    if (symbol === ')') this.#close()
    if (this.#credentials.symbol(symbol, this.#previous, this.#calls.depth) === 'garbage') this.#garbage(from)
    if (symbol === '(') this.#open()
    else if (symbol === ',') this.#comma()
    else if (symbol === '=') this.#equals()
    this.#executions.symbol(symbol, this.#calls.depth)
    if (symbol === ';') {
      if (this.#level === 0) this.#root.ends.end(to)
      this.#endStatement()
    } else {
      this.#isStart = false
      this.#push(symbol)
    }
  }

  parameter(number: number): void {
    if (this.#garbageFrom >= 0) return
    this.#chain.operand()
    if (this.#isAwaited) {
      if (this.#level === 0) this.#root.parameter(number)
      this.#outer?.parameter(number)
    }
    this.#credentials.parameter()
    this.#isStart = false
    this.#push('?')
  }

  literalStart(from: number): void {
    if (this.#garbageFrom >= 0) return
    if (this.#isStart) this.#begin()
    this.#isLiteral = true
    this.#pieceFrom = from
    const continues = this.#previous === 'literal'
    const isJoined = continues || this.#chain.isJoining
    this.#isSecret = this.#isAwaited || (isJoined && this.#isSecret) || this.#isQuotedSecret()
    this.#isConnection =
      this.#credentials.isTable && connectionOptions.has(this.#previous === '=' ? this.#beforePrevious : this.#previous)
    if (isJoined) this.#isSeam = true
    else if (this.#chain.isNone || this.#calls.depth <= this.#chain.depth) this.#beginChain()
    else this.#isFed = false
    this.#isStart = false
  }

  content(bytes: Buffer, start: number, end: number, from: number): void {
    if (this.#garbageFrom >= 0) return
    if (this.#isConnection) this.#pairs.feed(bytes, start, end, from)
    this.#fed(from)
    if (!this.#isFed) return
    this.#contentEnd = from + end - start
    this.#child?.lexer.feed(bytes, start, end, from)
  }

  escaped(byte: number, from: number, to: number): void {
    if (this.#garbageFrom >= 0) return
    if (this.#isConnection) this.#pairs.byte(byte, from, to)
    this.#fed(from)
    if (!this.#isFed) return
    this.#contentEnd = to
    this.#child?.lexer.feedEscaped(byte, from, to)
  }

  literalEnd(from: number, to: number): void {
    if (this.#garbageFrom >= 0) return
    this.#isLiteral = false
    if (this.#isConnection) this.#pairs.finish()
    if (this.#isSecret) this.#root.emit(Math.max(from, this.#pieceFrom), to)
    this.#credentials.literal()
    if (this.#isFed) this.#chain.literal(this.#calls.depth)
    this.#push('literal')
  }

  /** The text of this level goes on in another literal. */
  seam(end: number, start: number): void {
    if (!this.#isLiteral) return
    if (this.#isSecret) this.#root.emit(this.#pieceFrom, end)
    this.#pieceFrom = start
    this.#child?.seam(end, start)
  }

  /** At this place stands something whose text is not known. */
  opaque(): void {
    if (this.#isLiteral) this.#child?.opaque()
    else {
      this.#credentials.parameter()
      this.#push('?')
    }
  }

  reset(): void {
    this.lexer.reset()
    this.#isLiteral = false
    this.#isSecret = false
    this.#chain.clear()
    this.#endStatement()
  }

  /** A literal behind this text would be a secret. */
  get awaitsSecret(): boolean {
    return !this.#isLiteral && this.#isAwaited
  }

  /** @param name of its first word, as it is written; undefined: it is no word */
  #begin(name?: string): void {
    if (this.#level === 0) this.#root.ends.begin(name)
  }

  #endStatement(): void {
    this.#isStart = true
    this.#credentials.begin()
    this.#calls.clear()
    this.#assignments.clear()
    this.#executions.clear()
    this.#previous = ''
    this.#beforePrevious = ''
  }

  #push(token: string): void {
    this.#beforePrevious = this.#previous
    this.#previous = token
  }

  /** @param keyword '' when it is quoted @param name as it is when quoted too */
  #assign(keyword: string, name: string): void {
    const depth = this.#calls.depth
    if (this.#isStart && keyword === 'replace') this.#assignments.word('insert', '', depth)
    else if (keyword === 'set' && (this.#isStart || this.#credentials.hasLooseSet)) this.#assignments.targets(depth)
    else if (keyword === 'update' && this.#previous === 'key') this.#assignments.targets(depth)
    else if (keyword === 'value') this.#assignments.word('values', name, depth)
    else this.#assignments.word(keyword, name, depth)
  }

  #open(): void {
    this.#calls.open(this.#previous)
    if (this.#previous !== 'partition') this.#assignments.open(this.#calls.depth, this.#previous)
  }

  #close(): void {
    this.#calls.close()
    this.#assignments.close(this.#calls.depth)
  }

  #comma(): void {
    if (this.#calls.isSeparating && this.#chain.isJoining) this.#separator()
    this.#calls.comma()
    this.#assignments.comma(this.#calls.depth)
  }

  /** `=` and `:=` */
  #equals(): void {
    this.#assignments.equals(this.#calls.depth, this.#previous === ':' ? this.#beforePrevious : this.#previous)
  }

  /** What is here cannot be parsed, so nothing from this statement on has run: it may be the rest of a password. */
  #garbage(from: number): void {
    if (this.#level === 0 && this.#garbageFrom < 0) this.#garbageFrom = from
  }

  /** What stands here is a secret. */
  get #isAwaited(): boolean {
    if (this.#credentials.isAwaited || this.#executions.isSecret || this.#calls.isSecretArgument) return true
    return this.#assignments.isPassword(this.#calls.depth)
  }

  /** `concat('alter user x identified by ', quote('secret'))` */
  #isQuotedSecret(): boolean {
    return this.#chain.isOperand && this.#calls.isQuoting && this.#child?.awaitsSecret === true
  }

  #beginChain(): void {
    this.#finishChain()
    this.#isFed = true
    this.#isSeam = false
    if (this.#level >= deepest) return
    this.#child ??= new SecretRules(this.#root, this.#level + 1, this.#executions)
    this.#child.reset()
  }

  #finishChain(): void {
    if (this.#chain.isNone && !this.#isFed) return
    this.#chain.clear()
    this.#isFed = false
    this.#child?.finish(this.#contentEnd)
  }

  #fed(from: number): void {
    if (!this.#isSeam) return
    this.#isSeam = false
    this.#isFed = true
    this.#child?.seam(this.#contentEnd, from)
  }

  /** `concat_ws` puts something between its arguments, a blank as a rule. */
  #separator(): void {
    this.#child?.lexer.feedEscaped(32, this.#contentEnd, this.#contentEnd)
  }

  #unknownPiece(): void {
    this.#isSecret = false
    this.#child?.opaque()
  }
}
