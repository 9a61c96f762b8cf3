import type { Doorman } from '../session.ts'

/** Bytes of all sessions of an engine, reported once a second while there are any. */
export class ByteCounts {
  readonly #kind: string
  readonly #doorman: Pick<Doorman, 'relayed'>
  #sessions = 0
  #up = 0
  #down = 0
  #timer: NodeJS.Timeout | undefined

  constructor(kind: string, doorman: Pick<Doorman, 'relayed'>) {
    this.#kind = kind
    this.#doorman = doorman
  }

  begin(): void {
    this.#sessions += 1
    this.#timer ??= setInterval(() => this.#report(), 1000).unref()
  }

  readonly add = (direction: 'up' | 'down', bytes: number): void => {
    if (direction === 'up') this.#up += bytes
    else this.#down += bytes
  }

  end(): void {
    this.#sessions -= 1
    if (this.#sessions > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#report()
  }

  #report(): void {
    if (this.#up > 0) this.#doorman.relayed(this.#kind, 'up', this.#up)
    if (this.#down > 0) this.#doorman.relayed(this.#kind, 'down', this.#down)
    this.#up = 0
    this.#down = 0
  }
}
