import type { TokenSink } from '../../recording/sql/tokens.ts'
import { longestSureName } from '../../recording/sql/word.ts'
import { Lexer } from './lexer.ts'

/** What one statement of a text does to prepared statements. */
export type Operation =
  /** `name` is undefined where the server may read it in another way. */
  | { readonly kind: 'prepare'; readonly name: string | undefined; readonly sql: string }
  | { readonly kind: 'deallocate'; readonly name: string | undefined }
  | { readonly kind: 'other'; readonly sql: string }

/**
 * @returns one operation for each statement; undefined: it depends on `standard_conforming_strings`, or the text may hold a body
 * of SQL (`BEGIN ATOMIC … END`), whose semicolons end no statement
 */
export function readOperations(text: string): readonly Operation[] | undefined {
  const operations = read(text, false)
  if (!text.includes('\\')) return operations
  return JSON.stringify(read(text, true)) === JSON.stringify(operations) ? operations : undefined
}

function read(text: string, hasBackslashes: boolean): readonly Operation[] | undefined {
  const bytes = Buffer.from(text)
  const statements = new Statements(bytes)
  const lexer = new Lexer(statements, { steps: 0 }, hasBackslashes)
  lexer.feed(bytes, 0, bytes.length, 0)
  lexer.finish()
  const operations = statements.finish()
  return statements.isUnsure ? undefined : operations
}

interface Token {
  readonly keyword: string
  readonly from: number
  readonly to: number
}

/** Splits a text at the semicolons outside parentheses. */
class Statements implements TokenSink {
  /** The server may split it at other places. */
  isUnsure = false
  readonly #bytes: Buffer
  readonly #operations: Operation[] = []
  #depth = 0
  #count = 0
  /** The first three words, if the statement begins with them. */
  #words: Token[] = []
  #bodyFrom = -1
  #from = 0
  #end = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  finish(): readonly Operation[] {
    this.#endStatement()
    return this.#operations
  }

  word(keyword: string, from: number, to: number, isQuoted: boolean): void {
    const at = this.#count
    this.#token(from, to)
    if (at < 3 && at === this.#words.length) this.#words.push({ keyword: isQuoted ? '' : keyword, from, to })
    if (keyword === 'atomic' && !isQuoted && this.#depth === 0) this.isUnsure = true
    if (keyword === 'as' && !isQuoted && this.#depth === 0 && this.#bodyFrom < 0 && at > 1) this.#bodyFrom = to
  }

  symbol(byte: number, from: number, to: number): void {
    const symbol = String.fromCharCode(byte)
    if (symbol === ';' && this.#depth === 0) {
      this.#endStatement()
      return
    }
    this.#token(from, to)
    if (symbol === '(') this.#depth += 1
    else if (symbol === ')' && this.#depth > 0) this.#depth -= 1
  }

  parameter(_number: number, from: number, to: number): void {
    this.#token(from, to)
  }

  literalStart(): void {}
  content(): void {}
  escaped(): void {}

  literalEnd(from: number, to: number): void {
    this.#token(from, to)
  }

  #token(from: number, to: number): void {
    if (this.#count === 0) this.#from = from
    this.#count += 1
    this.#end = to
  }

  #endStatement(): void {
    if (this.#count > 0) this.#operations.push(this.#operation())
    this.#count = 0
    this.#depth = 0
    this.#words = []
    this.#bodyFrom = -1
  }

  #operation(): Operation {
    const [verb, second, third] = this.#words
    if (verb?.keyword === 'prepare' && this.#bodyFrom >= 0) {
      const sql = this.#bytes.toString('utf8', this.#bodyFrom, this.#end).trim()
      return { kind: 'prepare', name: this.#nameOf(second), sql }
    }
    if (verb?.keyword !== 'deallocate')
      return { kind: 'other', sql: this.#bytes.toString('utf8', this.#from, this.#end) }
    return { kind: 'deallocate', name: this.#nameOf(second?.keyword === 'prepare' && third ? third : second) }
  }

  #nameOf(token: Token | undefined): string | undefined {
    if (!token) return undefined
    const written = this.#bytes.toString('latin1', token.from, token.to)
    const quoted = /^"(.*)"$/s.exec(written)?.[1]?.replaceAll('""', '"')
    // Outside ASCII, case and length of a name depend on encodings.
    const name = quoted ?? written.toLowerCase()
    return /^[\x20-\x7e]*$/.test(written) && !/^u&/i.test(written) && name.length <= longestSureName ? name : undefined
  }
}

const changing = /execute|prepare|deallocate|discard/i
const otherLanguage = /\blanguage\b(?!\s*'?plpgsql\b)/i

/** The code of a DO may prepare or drop statements: by itself, or by code that it builds. */
export function mayPrepare(text: string): boolean {
  return changing.test(text) || otherLanguage.test(text)
}

/** A function is made that may do so when it runs. */
export function makesPreparing(text: string): boolean {
  return /prepare|deallocate|discard/i.test(text)
}
