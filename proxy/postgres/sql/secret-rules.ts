import { addSlot, Calls, type Format } from './calls.ts'
import { Keywords } from './connection-strings.ts'
import { type Counter, Lexer, type TokenSink } from './lexer.ts'

/** What all levels of one text share. */
export interface Root extends Counter {
  readonly hasBackslashes: boolean
  emit(from: number, to: number): void
  parameter(number: number): void
}

/** Literals within literals that are read as SQL; deeper ones are shown as they are. */
const deepest = 3

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))
const statementsOf = words('create alter import')
const prefixes = words('explain analyze verbose')
/** Words of PL/pgSQL after which a statement begins. */
const openings = words('begin then else loop')
const roleWords = words('role user group')
/** `PASSWORD` behind one of these is a role's name. */
const beforeNames = words('role user group admin ,')
const roleOptions = words(
  '; superuser nosuperuser createdb nocreatedb createrole nocreaterole inherit noinherit login nologin replication noreplication bypassrls nobypassrls connection encrypted unencrypted password valid in role admin user group sysid set reset rename',
)
const secretNames = words(
  'password sslpassword passwd pwd secret token apikey api_key secret_key access_key private_key aws_secret_access_key secret_access_key u&',
)
const passwordNames = words('password sslpassword passwd pwd')

/**
 * Finds the passwords that one level of SQL sets: a text, or what a literal in it holds. Nothing else is taken for a secret: what
 * could run must stay on record, also where it looks like a password (in comments, in literals of code that is built).
 */
export class SecretRules implements TokenSink {
  readonly lexer: Lexer
  readonly #root: Root
  readonly #level: number
  readonly #keywords: Keywords
  #child: SecretRules | undefined
  #format: Format | undefined
  /** This level is the content of a secret literal. */
  #isSecretText = false

  #isStart = true
  #kind: '' | 'new' | 'prepare' | 'role' | 'options' | 'subscription' | 'update' | 'other' = ''
  #hasName = false
  /** `USER MAPPING`, unless a user has that name. */
  #maybeMapping = false
  #isSet = false
  readonly #calls = new Calls()
  #optionsDepth = -1
  #previous = ''
  #beforePrevious = ''
  /** What the next literal is. */
  #awaits: '' | 'role' | 'value' | 'connection' = ''
  #mustEnd = false
  #garbageFrom = -1

  #isLiteral = false
  #isSecret = false
  #needsPlain = false
  #pieceFrom = 0
  #contentEnd = 0
  /** Literals joined by `||` or a line break are one text. */
  #chain: '' | 'after' | '|' | 'joining' | 'operand' | 'operand|' = ''
  #chainDepth = 0
  #isFed = false
  #isSeam = false
  #percent: '' | '%' | 'number' | '$' = ''
  #percentSlot = 0

  constructor(root: Root, level: number) {
    this.#root = root
    this.#level = level
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
    this.#operand()
    if (this.#converted(keyword)) return
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
    this.#link(symbol)
    if (this.#format && this.#percentSymbol(symbol)) return
    if ((this.#awaits === 'role' || this.#mustEnd) && symbol !== ';') this.#garbage(from)
    if (!(this.#awaits === 'value' && this.#kind === 'update' && symbol === '=')) this.#awaits = ''
    this.#mustEnd = false
    if (symbol === '(') this.#open()
    else if (symbol === ')') this.#closeParenthesis()
    else if (symbol === ',') this.#calls.comma()
    else if (symbol === ';') this.#endStatement()
    else this.#isStart = false
    if (symbol === '=' && this.#isSet && this.#calls.depth === 0 && passwordNames.has(this.#previous))
      this.#awaits = 'value'
    this.#push(symbol)
  }

  parameter(number: number): void {
    if (this.#garbageFrom >= 0) return
    this.#operand()
    if (this.#awaits === 'role' || this.#awaits === 'value' || this.#calls.slot) this.#root.parameter(number)
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
    const isJoined = continues || this.#chain === 'joining'
    this.#isSecret =
      this.#awaits === 'role' ||
      this.#awaits === 'value' ||
      this.#mustEnd ||
      slot !== undefined ||
      (isJoined && this.#isSecret) ||
      this.#isQuotedSecret()
    this.#needsPlain = slot === 's'
    if (isJoined) this.#isSeam = true
    else if (this.#chain === '' || this.#calls.depth <= this.#chainDepth) this.#beginChain()
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
    if (this.#isFed) {
      this.#chain = 'after'
      this.#chainDepth = this.#calls.depth
    }
    this.#awaits = ''
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
    this.#chain = ''
    this.#percent = ''
    this.#mustEnd = false
    this.#endStatement()
  }

  #endStatement(): void {
    this.#isStart = true
    this.#kind = ''
    this.#hasName = false
    this.#isSet = false
    this.#optionsDepth = -1
    this.#calls.clear()
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
    this.#isSet = false
    if (prefixes.has(keyword)) this.#isStart = true
    else if (keyword === 'update' || keyword === 'prepare') this.#kind = keyword
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
      case 'update':
        if (keyword === 'set') this.#isSet = true
        else if (keyword === 'where' || keyword === 'from' || keyword === 'returning') this.#isSet = false
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

  /** What is here cannot be parsed, so nothing of the text has run: it may be the rest of a password. */
  #garbage(from: number): void {
    if (this.#level === 0 && this.#garbageFrom < 0) this.#garbageFrom = from
  }

  #open(): void {
    this.#calls.open(this.#previous)
    if (this.#kind === 'options' && this.#previous === 'options') this.#optionsDepth = this.#calls.depth
    this.#isStart = false
  }

  #closeParenthesis(): void {
    if (this.#optionsDepth === this.#calls.depth) this.#optionsDepth = -1
    this.#calls.close()
  }

  /** `'alter role x password ' || quote_literal('secret')` */
  #isQuotedSecret(): boolean {
    return this.#calls.isQuoting && this.#chain === 'operand' && this.#child?.awaitsSecret === true
  }

  get awaitsSecret(): boolean {
    return !this.#isLiteral && (this.#awaits === 'role' || this.#awaits === 'value')
  }

  #beginChain(): void {
    this.#finishChain()
    this.#keywords.reset(this.#awaits === 'connection' || this.#calls.isConnection)
    const format = this.#calls.beginFormat() ?? this.#format
    this.#isFed = true
    this.#isSeam = false
    if (this.#level >= deepest) return
    this.#child ??= new SecretRules(this.#root, this.#level + 1)
    this.#child.reset(format, this.#isSecret || this.#isSecretText)
  }

  #finishChain(): void {
    if (this.#chain === '' && !this.#isFed) return
    this.#chain = ''
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

  /** A token that is no literal and no symbol. */
  #operand(): void {
    if (this.#chain === 'joining' || this.#chain === 'operand|') this.#chain = 'operand'
    else if (this.#chain === 'after' || this.#chain === '|') this.#finishChain()
  }

  #link(symbol: string): void {
    const isHere = this.#calls.depth === this.#chainDepth
    if (this.#chain === '') return
    if (symbol === '|' && isHere) {
      this.#bar()
      return
    }
    if (this.#chain === 'joining' || this.#chain === 'operand|') this.#chain = 'operand'
    const isEnd = symbol === ';' || (isHere && (symbol === ',' || symbol === ')'))
    if (isEnd || this.#chain !== 'operand') this.#finishChain()
  }

  #bar(): void {
    if (this.#chain === 'after') this.#chain = '|'
    else if (this.#chain === 'operand') this.#chain = 'operand|'
    else if (this.#chain === '|') this.#chain = 'joining'
    else if (this.#chain === 'operand|') {
      this.#chain = 'joining'
      this.#isSecret = false
      this.#child?.opaque()
    } else this.#finishChain()
  }

  #percentSymbol(symbol: string): boolean {
    if (symbol === '%') {
      this.#percent = this.#percent === '%' ? '' : '%'
      this.#percentSlot = 0
      if (this.#previous === '=' && secretNames.has(this.#beforePrevious)) this.#awaits = 'value'
      return true
    }
    const isPosition = symbol === '$' && this.#percent === 'number'
    this.#percent = isPosition ? '$' : ''
    return isPosition
  }

  /** @returns whether the word belongs to a conversion such as `%2$L` */
  #converted(word: string): boolean {
    if (!this.#format || this.#percent === '') return false
    if (this.#percent === '%' && /^\d+$/.test(word)) {
      this.#percentSlot = Number(word)
      this.#percent = 'number'
      return true
    }
    this.#percent = ''
    if (word !== 'l' && word !== 's' && word !== 'i') return false
    const slot = this.#percentSlot || this.#format.next
    this.#format.next = slot + 1
    const isAwaited = this.#awaits === 'role' || this.#awaits === 'value'
    if (isAwaited || this.#isSecretText) addSlot(this.#format, slot, word === 'l' && isAwaited ? 'L' : 's')
    // A conversion stands for the name of a role too.
    if (this.#kind === 'role') this.#hasName = true
    this.#awaits = ''
    this.#push('?')
    return true
  }
}
