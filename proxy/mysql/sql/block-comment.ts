import type { Reading } from './reading.ts'

const [slash, star, bang, letterM] = [47, 42, 33, 77] as const

/** What a byte of a comment leads to: `again` and `code` don't consume it; with `code` what follows is code. */
type Step = 'on' | 'again' | 'code' | 'end'

/** From behind its `/*` on: a comment, or one whose content may be code (after `!`, `!50706` or `M!`). */
export class BlockComment {
  readonly #reading: Reading
  #state: 'start' | 'm' | 'version' | 'content' | 'star' | 'slash' = 'start'
  #isMariaDb = false
  #version = ''
  /** Code that is not for this server: a comment within it has its own end. */
  #isSkipped = false
  #depth = 1

  constructor(reading: Reading) {
    this.#reading = reading
  }

  begin(): void {
    this.#state = 'start'
    this.#isMariaDb = false
    this.#version = ''
    this.#isSkipped = false
    this.#depth = 1
  }

  /** The server would not find its end. */
  get isEndless(): boolean {
    return this.#state !== 'version'
  }

  /** Digits that are code, since they are too few for a version. */
  get digits(): string {
    return this.#version.length < 5 ? this.#version : ''
  }

  /** @returns where a run ends that cannot change the state */
  skip(bytes: Buffer, at: number, end: number): number {
    if (this.#state !== 'content') return at
    let i = at
    while (i < end && bytes[i] !== star && !(this.#isSkipped && bytes[i] === slash)) i += 1
    return i
  }

  step(byte: number): Step {
    switch (this.#state) {
      case 'start':
      case 'm':
        return this.#start(byte)
      case 'version':
        return this.#inVersion(byte)
      case 'content':
        this.#state = byte === star ? 'star' : 'slash'
        return 'on'
      default:
        return this.#edge(byte)
    }
  }

  #start(byte: number): Step {
    if (byte === bang) this.#state = 'version'
    else if (this.#state === 'start' && byte === letterM) {
      this.#isMariaDb = true
      this.#state = 'm'
    } else {
      this.#state = 'content'
      return 'again'
    }
    return 'on'
  }

  #inVersion(byte: number): Step {
    if (byte >= 48 && byte <= 57 && this.#version.length < 6) {
      this.#version += String.fromCharCode(byte)
      return 'on'
    }
    const version = this.#version.length < 5 ? 0 : Number(this.#version)
    if (this.#reading.runs(version, this.#isMariaDb)) return 'code'
    this.#isSkipped = true
    this.#state = 'content'
    return 'again'
  }

  #edge(byte: number): Step {
    const isEnd = this.#state === 'star' && byte === slash
    const isBegin = this.#state === 'slash' && byte === star && this.#depth === 1
    this.#state = 'content'
    if (!isEnd && !isBegin) return 'again'
    this.#depth += isBegin ? 1 : -1
    return this.#depth === 0 ? 'end' : 'on'
  }
}
