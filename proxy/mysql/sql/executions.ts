/** @returns parameters whose values are secrets; undefined: what the name stands for is not known */
export type SecretParameters = (name: string) => ReadonlySet<number> | undefined

const mostRemembered = 10_000

/**
 * `EXECUTE name USING 'x'` and `EXECUTE IMMEDIATE 'code' USING 'x'` (MariaDB; MySQL takes variables only): a value is a secret if it
 * is so as a parameter of the statement. Where that is not known all of them are.
 */
export class Executions {
  readonly #before: SecretParameters
  #state: '' | 'execute' | 'named' | 'immediate' | 'using' = ''
  #position = 1
  #secrets: ReadonlySet<number> | undefined
  /** Of the code that the literals of EXECUTE IMMEDIATE hold. */
  #inCode = new Set<number>()

  constructor(before: SecretParameters) {
    this.#before = before
  }

  clear(): void {
    this.#state = ''
  }

  get isSecret(): boolean {
    return this.#state === 'using' && (this.#secrets?.has(this.#position) ?? true)
  }

  /** A secret one, in a literal. */
  parameter(number: number): void {
    if (this.#state === 'immediate' && this.#inCode.size < mostRemembered) this.#inCode.add(number)
  }

  /** @param keyword '' when it is quoted @param nameOf of the word; undefined: not sure */
  word(keyword: string, isStart: boolean, nameOf: () => string | undefined): void {
    if (isStart) this.#state = keyword === 'execute' ? 'execute' : ''
    else if (this.#state === 'execute') this.#begin(keyword, nameOf)
    else if (keyword === 'using' && this.#state === 'named') this.#using(this.#secrets)
    else if (keyword === 'using' && this.#state === 'immediate') this.#using(this.#inCode)
  }

  symbol(symbol: string, depth: number): void {
    if (symbol === ',' && depth === 0 && this.#state === 'using') this.#position += 1
  }

  #begin(keyword: string, nameOf: () => string | undefined): void {
    const name = nameOf()
    this.#state = keyword === 'immediate' ? 'immediate' : 'named'
    this.#secrets = name === undefined ? undefined : this.#before(name)
    this.#inCode = new Set()
  }

  #using(secrets: ReadonlySet<number> | undefined): void {
    this.#state = 'using'
    this.#position = 1
    this.#secrets = secrets
  }
}
