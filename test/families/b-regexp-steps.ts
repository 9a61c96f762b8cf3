/** A backtracking matcher that counts what it tries, as V8's would: for the forms that regular expressions of this project have. */

/** Goes on behind what was matched. @returns whether the rest matches too */
type Rest = (at: number) => boolean
type Node = (at: number, rest: Rest) => boolean

interface Run {
  readonly text: string
  steps: number
}

/** What the regular expressions cost that `work` uses, in characters that are tried. */
export function countSteps(work: () => unknown): number {
  const original = RegExp.prototype.exec
  const calls: (readonly [pattern: RegExp, text: string, from: number])[] = []
  RegExp.prototype.exec = function (text: string) {
    calls.push([this, text, this.lastIndex])
    return original.call(this, text)
  }
  try {
    work()
  } finally {
    RegExp.prototype.exec = original
  }
  return calls.reduce((sum, [pattern, text, from]) => sum + stepsOf(pattern, text, from), 0)
}

export function stepsOf(pattern: RegExp, text: string, from = 0): number {
  const run: Run = { text, steps: 0 }
  const node = new Parser(pattern, run).parse()
  for (let at = pattern.global || pattern.sticky ? from : 0; at <= text.length; at += 1)
    if (node(at, () => true) || pattern.sticky) break
  return run.steps
}

const single = /\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|[\s\S]/iy
const quantifier = /([*+?]|\{\d+(?:,\d*)?\})\??/y

class Parser {
  readonly #pattern: RegExp
  readonly #run: Run
  #at = 0

  constructor(pattern: RegExp, run: Run) {
    this.#pattern = pattern
    this.#run = run
  }

  parse(): Node {
    const branches: Node[] = []
    do branches.push(this.#sequence())
    while (this.#take('|'))
    return (at, rest) => branches.some((branch) => branch(at, rest))
  }

  #sequence(): Node {
    const terms: Node[] = []
    const { source } = this.#pattern
    while (this.#at < source.length && source[this.#at] !== '|' && source[this.#at] !== ')') terms.push(this.#term())
    return terms.reduceRight<Node>(
      (after, term) => (at, rest) => term(at, (next) => after(next, rest)),
      (at, rest) => rest(at),
    )
  }

  #term(): Node {
    const atom = this.#group() ?? this.#edge() ?? this.#character()
    const times = this.#match(quantifier)
    if (!times) return atom
    const [, least = '', most = ''] = /^\{(\d+),?(\d*)/.exec(times) ?? []
    const exact = times.includes(',') ? Number(most || Number.POSITIVE_INFINITY) : Number(least)
    const bounds = { '*': [0, Number.POSITIVE_INFINITY], '+': [1, Number.POSITIVE_INFINITY], '?': [0, 1] } as const
    const [from, to] = bounds[times[0] as '*' | '+' | '?'] ?? [Number(least), exact]
    return repeated(atom, from, to, times.length > 1 && times.endsWith('?'))
  }

  #group(): Node | undefined {
    if (!this.#take('(')) return undefined
    const kind = ['?:', '?=', '?!'].find((mark) => this.#take(mark)) ?? ''
    const inner = this.parse()
    this.#take(')')
    if (kind === '?=') return (at, rest) => inner(at, () => true) && rest(at)
    return kind === '?!' ? (at, rest) => !inner(at, () => true) && rest(at) : inner
  }

  #edge(): Node | undefined {
    const run = this.#run
    if (this.#take('^')) return (at, rest) => at === 0 && rest(at)
    if (this.#take('$')) return (at, rest) => at === run.text.length && rest(at)
    const isWord = (at: number) => /^\w$/.test(run.text[at] ?? '')
    return this.#take('\\b') ? (at, rest) => isWord(at - 1) !== isWord(at) && rest(at) : undefined
  }

  #character(): Node {
    const run = this.#run
    const one = new RegExp(`^(?:${this.#match(single)})$`, this.#pattern.flags.replace(/[gy]/g, ''))
    const known = new Map<string, boolean>()
    return (at, rest) => {
      run.steps += 1
      const character = run.text[at]
      if (character === undefined) return false
      const fits = known.get(character) ?? one.test(character)
      known.set(character, fits)
      return fits && rest(at + 1)
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#pattern.source)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #take(text: string): boolean {
    if (!this.#pattern.source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }
}

function repeated(atom: Node, from: number, to: number, isLazy: boolean): Node {
  const again = (count: number, start: number, rest: Rest): boolean => {
    const more = () => count < to && atom(start, (at) => (at > start || count < from) && again(count + 1, at, rest))
    const enough = () => count >= from && rest(start)
    return isLazy ? enough() || more() : more() || enough()
  }
  return (at, rest) => again(0, at, rest)
}
