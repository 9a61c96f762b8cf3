import { type Doorman, type KindReport, statementBuckets } from '../doorman.ts'

const reportMs = 1000

/** Counters of one kind's sessions; relays write to them directly. */
export class KindCounts {
  bytesUp = 0
  bytesDown = 0
  /** By bucket; the last one for all that took longer. */
  readonly statements: number[] = Array<number>(statementBuckets.length + 1).fill(0)
  seconds = 0

  statement(seconds: number): void {
    let bucket = 0
    while (bucket < statementBuckets.length && seconds > (statementBuckets[bucket] as number)) bucket += 1
    this.statements[bucket] = (this.statements[bucket] as number) + 1
    this.seconds += seconds
  }

  /** What was counted since the last call; undefined: nothing. */
  take(kind: string): KindReport | undefined {
    const { bytesUp, bytesDown, seconds: sumSeconds } = this
    const counts = [...this.statements]
    if (bytesUp === 0 && bytesDown === 0 && counts.every((count) => count === 0)) return undefined
    this.bytesUp = 0
    this.bytesDown = 0
    this.seconds = 0
    this.statements.fill(0)
    return { kind, bytesUp, bytesDown, statements: { counts, sumSeconds } }
  }
}

interface HasHead {
  head(): { readonly head: string; readonly entries: number }
}

/** Counts and heads of all sessions that a host carries, reported once a second while there are any. */
export class Reports {
  readonly #doorman: Pick<Doorman, 'report'>
  readonly #kinds = new Map<string, KindCounts>()
  readonly #recordings = new Map<string, HasHead>()
  #timer: NodeJS.Timeout | undefined

  constructor(doorman: Pick<Doorman, 'report'>) {
    this.#doorman = doorman
  }

  begin(sessionId: string, recording: HasHead): void {
    this.#recordings.set(sessionId, recording)
    this.#timer ??= setInterval(() => this.#send(), reportMs).unref()
  }

  end(sessionId: string): void {
    this.#recordings.delete(sessionId)
    if (this.#recordings.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#send()
  }

  of(kind: string): KindCounts {
    let counts = this.#kinds.get(kind)
    if (!counts) {
      counts = new KindCounts()
      this.#kinds.set(kind, counts)
    }
    return counts
  }

  #send(): void {
    const kinds = [...this.#kinds].flatMap(([kind, counts]) => counts.take(kind) ?? [])
    const heads = [...this.#recordings].map(([sessionId, recording]) => ({ sessionId, ...recording.head() }))
    if (kinds.length > 0 || heads.length > 0) this.#doorman.report({ kinds, heads })
  }
}
