import type { Conversation, Sides } from './conversation.ts'
import type { Side } from './side.ts'

interface OwnTurnParts {
  readonly conversation: Conversation
  readonly client: Side
  readonly target: Side
  /** Calls back once the message may be answered. */
  whenOnFile(done: () => void): void
  /** Nothing more is to be done for the client. */
  isOver(): boolean
  onAnswer(answer: Buffer): void
  /** What the client sent after the message; empty: nothing yet. */
  onRest(rest: Buffer): void
  onFailure(error: unknown): void
}

const none = Buffer.alloc(0)
/** Of what is sent after the message, in bytes and in pieces: enough to notice that a client has left which waits for the answer. */
const mostBytes = 64 * 1024
const mostPieces = 64

/** A message that the broker answers, from when it is kept back until the client has its answer. What was sent after it waits. */
export class OwnTurn {
  readonly #parts: OwnTurnParts
  readonly #sides: Sides
  /** In order. Undefined: no message is kept back. */
  #rest: Buffer[] | undefined
  #restBytes = 0
  #isAnswering = false

  constructor(parts: OwnTurnParts) {
    this.#parts = parts
    const { client, target } = parts
    this.#sides = {
      target: (use) => target.lend(use),
      client: (use) => {
        const rest = this.#takeRest()
        this.#rest = []
        return client.lend(use, rest)
      },
    }
  }

  get isWaiting(): boolean {
    return this.#rest !== undefined
  }

  /** Nothing more is read of the client until the answer is there. */
  get isFull(): boolean {
    return this.#restBytes >= mostBytes || (this.#rest?.length ?? 0) >= mostPieces
  }

  /** @param rest sent after it, so far */
  keepBack(rest: Buffer): void {
    this.#rest = []
    this.add(rest)
  }

  /** What the client sends meanwhile. @returns see {@link isFull} */
  add(rest: Buffer): boolean {
    if (rest.length > 0) this.#rest?.push(rest)
    this.#restBytes += rest.length
    return this.isFull
  }

  /** Nothing else is under way. */
  begin(): void {
    if (this.#rest === undefined || this.#isAnswering) return
    this.#isAnswering = true
    this.#parts.whenOnFile(() => void this.#answer())
  }

  async #answer(): Promise<void> {
    const { conversation, client, isOver, onAnswer, onRest, onFailure } = this.#parts
    if (isOver()) return
    try {
      const answer = await conversation.answer?.(this.#sides)
      if (isOver()) return
      if (answer) onAnswer(answer)
    } catch (error) {
      client.checkClosed()
      onFailure(error)
      return
    }
    const rest = this.#takeRest()
    this.#isAnswering = false
    onRest(rest)
  }

  #takeRest(): Buffer {
    const rest = this.#rest ?? []
    this.#rest = undefined
    this.#restBytes = 0
    const [only = none] = rest
    return rest.length > 1 ? Buffer.concat(rest) : only
  }
}
