import { passwordFunctions, secretArguments } from './vocabulary.ts'

interface Call {
  readonly name: string
  readonly depth: number
  /** From 1. */
  argument: number
}

const mostCalls = 16

/** The parentheses of one statement, as far as they are calls whose arguments matter. */
export class Calls {
  depth = 0
  #calls: Call[] = []

  clear(): void {
    this.depth = 0
    if (this.#calls.length > 0) this.#calls = []
  }

  /** @param name the word before the parenthesis */
  open(name: string): void {
    this.depth += 1
    const matters = name === 'quote' || /^concat/.test(name) || passwordFunctions.has(name) || name in secretArguments
    if (matters && this.#calls.length < mostCalls) this.#calls.push({ name, depth: this.depth, argument: 1 })
  }

  close(): void {
    if (this.#calls.at(-1)?.depth === this.depth) this.#calls.pop()
    if (this.depth > 0) this.depth -= 1
  }

  comma(): void {
    const call = this.#here
    if (call) call.argument += 1
  }

  /** In an argument of a procedure, however it is built, or in that of `password(…)`, alone or joined. */
  get isSecretArgument(): boolean {
    if (this.#calls.some(({ name, argument }) => secretArguments[name] === argument)) return true
    for (let at = this.#calls.length - 1, depth = this.depth; at >= 0; at -= 1, depth -= 1) {
      const call = this.#calls[at]
      if (call?.depth !== depth) return false
      if (passwordFunctions.has(call.name)) return call.argument === 1
    }
    return false
  }

  get isQuoting(): boolean {
    return this.#here?.name === 'quote'
  }

  /** The arguments here are joined to one text. */
  get isConcat(): boolean {
    return this.#here?.name.startsWith('concat') === true
  }

  /** `concat_ws` */
  get isSeparating(): boolean {
    return this.#here?.name === 'concat_ws'
  }

  get #here(): Call | undefined {
    const call = this.#calls.at(-1)
    return call?.depth === this.depth ? call : undefined
  }
}
