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

/** A message that the broker answers, from when it is kept back until the client has its answer. What was sent after it waits. */
export class OwnTurn {
  readonly #parts: OwnTurnParts
  readonly #sides: Sides
  #rest: Buffer | undefined
  #isAnswering = false

  constructor(parts: OwnTurnParts) {
    this.#parts = parts
    const { client, target } = parts
    this.#sides = {
      target: (use) => target.lend(use),
      client: (use) => {
        const rest = this.#rest
        this.#rest = none
        return client.lend(use, rest)
      },
    }
  }

  get isWaiting(): boolean {
    return this.#rest !== undefined
  }

  /** @param rest sent after it */
  keepBack(rest: Buffer): void {
    this.#rest = rest
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
    const rest = this.#rest ?? none
    this.#rest = undefined
    this.#isAnswering = false
    onRest(rest)
  }
}
