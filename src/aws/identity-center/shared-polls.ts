/** What a change was asked for by. */
interface Ticket {
  readonly change: 'create' | 'delete'
  readonly requestId: string
}

export interface SharedPollsDeps<S> {
  /** Request ids of the changes of one kind that are under way. */
  underWay(change: Ticket['change'], signal: AbortSignal): Promise<ReadonlySet<string>>
  describe(ticket: Ticket, signal: AbortSignal): Promise<S>
  /** For those that are asked about as well; left out: what is at work has had its turn. */
  gather?(): Promise<void>
}

/**
 * How changes are: of those that are asked about at the same time one list tells which are under way, and only the others are described.
 * One that is asked about alone is described. Each costs a call of a pace that all share.
 */
export class SharedPolls<S> {
  readonly #deps: SharedPollsDeps<S>
  readonly #groups = new Map<Ticket['change'], { size: number; readonly list: Promise<ReadonlySet<string>> }>()

  constructor(deps: SharedPollsDeps<S>) {
    this.#deps = deps
  }

  /** @returns null: it is under way @throws what the calls throw, of a list to all who share it */
  async ask(ticket: Ticket, signal: AbortSignal): Promise<S | null> {
    const { change, requestId } = ticket
    const group = this.#groups.get(change) ?? this.#open(change, signal)
    group.size += 1
    const underWay = await group.list
    return underWay.has(requestId) ? null : await this.#deps.describe(ticket, signal)
  }

  #open(change: Ticket['change'], signal: AbortSignal) {
    const list = async (): Promise<ReadonlySet<string>> => {
      await (this.#deps.gather ?? aTurn)()
      this.#groups.delete(change)
      return group.size < 2 ? new Set() : await this.#deps.underWay(change, signal)
    }
    const group = { size: 0, list: list() }
    this.#groups.set(change, group)
    return group
  }
}

function aTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
