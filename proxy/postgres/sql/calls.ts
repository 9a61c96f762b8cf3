import { mayRun } from './vocabulary.ts'

/** A format string: its conversions that stand for secrets. `L` quotes its argument, `s` does not. */
export interface Format {
  next: number
  readonly slots: Map<number, 'L' | 's'>
}

/** More than a function has arguments (FUNC_MAX_ARGS is 100), since VARIADIC arrays fill slots too. */
const mostSlots = 4096

export function addSlot({ slots }: Format, slot: number, conversion: 'L' | 's'): void {
  if (slots.size < mostSlots) slots.set(slot, conversion)
}

interface Call {
  readonly name: string
  readonly depth: number
  argument: number
  format?: Format
}

const mostCalls = 16
const connects: ReadonlySet<string> = new Set(['dblink_connect', 'dblink_connect_u'])

/** The parentheses of one statement, as far as they are calls of functions whose arguments matter. */
export class Calls {
  depth = 0
  #calls: Call[] = []
  /** Of the innermost call that may run what it is given, or where one was. */
  #running = 0

  clear(): void {
    this.depth = 0
    this.#calls = []
    this.#running = 0
  }

  /** @param name the word before the parenthesis */
  open(name: string): void {
    this.depth += 1
    if (mayRun(name)) this.#running = this.depth
    const matters = name === 'format' || /^(?:dblink|quote_|concat)/.test(name)
    if (matters && this.#calls.length < mostCalls) this.#calls.push({ name, depth: this.depth, argument: 0 })
  }

  close(): void {
    if (this.#calls.at(-1)?.depth === this.depth) this.#calls.pop()
    if (this.depth > 0) this.depth -= 1
    this.#running = Math.min(this.#running, this.depth)
  }

  comma(): void {
    const call = this.#here
    if (call) call.argument += 1
  }

  /** The argument here fills a secret place of a format string. */
  get slot(): 'L' | 's' | undefined {
    const call = this.#here
    if (call?.name === 'format') return call.format?.slots.get(call.argument)
    const outer = this.#calls.at(-2)
    return (this.isQuoting || this.isConcat) && outer?.name === 'format' && outer.format?.slots.has(outer.argument)
      ? 'L'
      : undefined
  }

  /** `quote_literal(…)` and its sister. */
  get isQuoting(): boolean {
    return this.#here?.name.startsWith('quote_') === true
  }

  /** The arguments here are joined to one text. */
  get isConcat(): boolean {
    return this.#here?.name.startsWith('concat') === true
  }

  /** `concat_ws` */
  get isSeparating(): boolean {
    return this.#here?.name === 'concat_ws'
  }

  /** No call that was opened deeper than this, if there is any, may run what it is given. */
  isPlainSince(depth: number): boolean {
    return this.#running <= depth
  }

  /** The argument here is a connection string; what dblink runs is not. */
  get isConnection(): boolean {
    const call = this.isConcat ? this.#calls.at(-2) : this.#here
    if (!call?.name.startsWith('dblink')) return false
    return call.argument === 0 || (call.argument === 1 && connects.has(call.name))
  }

  /** Begins the format string that stands here; undefined: none does. */
  beginFormat(): Format | undefined {
    const call = this.#here
    if (call?.name !== 'format' || call.argument !== 0) return undefined
    call.format = { next: 1, slots: new Map() }
    return call.format
  }

  get #here(): Call | undefined {
    const call = this.#calls.at(-1)
    return call?.depth === this.depth ? call : undefined
  }
}
