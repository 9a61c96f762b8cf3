/** So that one that comes and goes does not fill screen and recording. */
const defaultAfterMs = 2000

/** Tells the person that the instance is away once it has been for a while, and then that it is back. */
export class AwayNotice {
  readonly #tell: (text: string) => void
  readonly #afterMs: number
  #timer: NodeJS.Timeout | undefined
  #isTold = false

  constructor(tell: (text: string) => void, afterMs = defaultAfterMs) {
    this.#tell = tell
    this.#afterMs = afterMs
  }

  set(isAway: boolean): void {
    clearTimeout(this.#timer)
    if (isAway) this.#timer = setTimeout(() => this.#say(true), this.#afterMs).unref()
    else if (this.#isTold) this.#say(false)
  }

  #say(isAway: boolean): void {
    this.#isTold = isAway
    this.#tell(isAway ? 'the instance does not answer; what you type waits' : 'it answers again')
  }
}
