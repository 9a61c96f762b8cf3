/** Messages on their way, some of which are lost, come twice or late: by a fixed sequence of numbers, so that a run can be repeated. */
export class Faults {
  readonly #pass: (bytes: Buffer) => void
  readonly #held: Buffer[] = []
  #state = 0x9e37_79b9
  #timer: NodeJS.Timeout | undefined
  /** Shares of all messages, 0 to 1. */
  drop = 0
  duplicate = 0
  reorder = 0
  /** Called first for each. @returns how often it arrives */
  script: ((bytes: Buffer) => number) | undefined
  readonly counts = { passed: 0, dropped: 0, duplicated: 0, held: 0 }

  constructor(pass: (bytes: Buffer) => void) {
    this.#pass = pass
  }

  pass(bytes: Buffer): void {
    const times = this.script?.(bytes) ?? this.#times()
    if (times === 0) this.counts.dropped += 1
    else if (times > 1) this.counts.duplicated += 1
    for (let i = 0; i < times; i += 1) {
      if (this.#random() < this.reorder) this.#hold(bytes)
      else {
        this.counts.passed += 1
        this.#pass(bytes)
      }
    }
    if (this.#held.length > 2) this.#letGo()
  }

  /** It comes after some that are sent later. */
  #hold(bytes: Buffer): void {
    this.counts.held += 1
    this.#held.push(bytes)
    this.#timer ??= setInterval(() => this.#letGo(), 15).unref()
  }

  #letGo(): void {
    for (const bytes of this.#held.splice(0).reverse()) this.#pass(bytes)
  }

  #times(): number {
    if (this.#random() < this.drop) return 0
    return this.#random() < this.duplicate ? 2 : 1
  }

  /** xorshift32 */
  #random(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) / 0x1_0000_0000
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
