import { bodies } from './vocabulary.ts'

/** @returns parameters whose values are secrets; undefined: what the name stands for is not known */
export type SecretParameters = (name: string) => ReadonlySet<number> | undefined

/** Names that one text prepares, and their secret parameters; both in all. */
const mostRemembered = 10_000

/** Which parameters of prepared statements are secrets: of those that the text prepares itself, and of those of before. */
export class Prepared {
  readonly #before: SecretParameters
  readonly #here = new Map<string, Set<number>>()
  #current: Set<number> | undefined
  #remembered = 0
  /** Statements of before may have changed. */
  #isInDoubt = false

  constructor(before: SecretParameters) {
    this.#before = before
  }

  /** `PREPARE name`; undefined: the server may read the name in another way. */
  begin(name: string | undefined): void {
    if (name === undefined || this.#remembered > mostRemembered) {
      this.forget()
      return
    }
    this.#current = new Set()
    this.#here.set(name, this.#current)
    this.#remembered += 1
  }

  /** A secret one of the statement that is read now. */
  parameter(number: number): void {
    if (!this.#current || this.#current.has(number)) return
    this.#remembered += 1
    if (this.#remembered > mostRemembered) this.forget()
    else this.#current.add(number)
  }

  end(): void {
    this.#current = undefined
  }

  /** Any name may stand for something else from here on. */
  forget(): void {
    this.#here.clear()
    this.#current = undefined
    this.#isInDoubt = true
  }

  secretsOf(name: string | undefined): ReadonlySet<number> | undefined {
    if (name === undefined) return undefined
    return this.#here.get(name) ?? (this.#isInDoubt ? undefined : this.#before(name))
  }
}

/** What may prepare or drop statements out of sight, or makes what does. */
const doubtful: ReadonlySet<string> = new Set(['do', 'call', 'deallocate', 'discard'])
const makers: ReadonlySet<string> = new Set(['function', 'procedure'])

/**
 * `EXECUTE name (…)`: an argument is a secret if it is so as a parameter of the statement. Where that is not known all of them
 * are: in literals, since what they run may come later, and in other sessions. In PL/pgSQL it is `EXECUTE code USING …`.
 */
export class Executions {
  readonly #prepared: Prepared | undefined
  #state: '' | 'prepare' | 'execute' | 'named' | 'dynamic' | 'arguments' = ''
  #depth = 0
  #position = 0
  #secrets: ReadonlySet<number> | undefined
  /** No token was read yet. */
  #isFirst = true
  #isBody = false
  /** Of the code that the literals of a dynamic EXECUTE hold. */
  #inCode = new Set<number>()

  /** @param prepared undefined: of a text within a literal */
  constructor(prepared: Prepared | undefined) {
    this.#prepared = prepared
  }

  /** Another text begins. */
  reset(): void {
    this.clear()
    this.#isFirst = true
    this.#isBody = false
  }

  clear(): void {
    this.#state = ''
    this.#prepared?.end()
  }

  get isSecret(): boolean {
    return this.#state === 'arguments' && (this.#secrets?.has(this.#position) ?? true)
  }

  /** A secret one, in a literal. */
  parameter(number: number): void {
    if (this.#state === 'dynamic' && this.#inCode.size < mostRemembered) this.#inCode.add(number)
  }

  /** @param keyword '' when it is quoted @param nameOf of the word; undefined: not sure */
  word(keyword: string, isStart: boolean, depth: number, nameOf: () => string | undefined): void {
    this.#first(bodies.has(keyword))
    if (this.#isBody) this.#inBody(keyword, depth)
    else this.#inSql(keyword, isStart, nameOf)
  }

  #inBody(keyword: string, depth: number): void {
    if (keyword === 'execute') {
      this.#state = 'dynamic'
      this.#inCode = new Set()
    } else if (keyword === 'using' && this.#state === 'dynamic') this.#arguments(depth, this.#inCode)
  }

  #inSql(keyword: string, isStart: boolean, nameOf: () => string | undefined): void {
    if (this.#state === 'arguments') return
    if (this.#state === 'prepare') this.#prepared?.begin(keyword === 'transaction' ? undefined : nameOf())
    if (this.#state === 'execute') this.#secrets = this.#prepared?.secretsOf(nameOf())
    if ((isStart && doubtful.has(keyword)) || makers.has(keyword)) this.#prepared?.forget()
    if (this.#state === 'execute') this.#state = 'named'
    else if (keyword === 'execute') this.#state = 'execute'
    else this.#state = isStart && keyword === 'prepare' ? 'prepare' : ''
  }

  /** @param depth within the parenthesis, if it is one that opens, else without it */
  symbol(symbol: string, depth: number): void {
    this.#first(true)
    if (this.#state === 'arguments') {
      if (symbol === ',' && depth === this.#depth) this.#position += 1
      else if (symbol === ')' && depth < this.#depth) this.#state = ''
    } else if (this.#state === 'named' && symbol === '(') this.#arguments(depth, this.#secrets)
    else if (this.#state !== 'dynamic') this.#state = ''
  }

  #arguments(depth: number, secrets: ReadonlySet<number> | undefined): void {
    this.#state = 'arguments'
    this.#depth = depth
    this.#position = 1
    this.#secrets = secrets
  }

  #first(isBody: boolean): void {
    if (this.#isFirst) this.#isBody = isBody && this.#prepared === undefined
    this.#isFirst = false
  }
}
