import type { Captured } from '../../recording/captured.ts'
import type { Queue } from '../../recording/queue.ts'
import { Names } from './names.ts'
import type { ClientRequest, Pending } from './pending.ts'
import { toBegunText } from './statement-record.ts'

const recorded: ReadonlySet<ClientRequest['kind']> = new Set(['query', 'parse', 'bind', 'execute', 'function-call'])

/** Entries of requests that still run, so that a recording that breaks off has them too. The final entry has the same number. */
export class Begun {
  readonly #ledger: Queue<Pending>
  readonly #names: Names
  #number = 0
  /** None before it is without an entry. */
  #last: Pending | undefined

  constructor(ledger: Queue<Pending>, names: Names) {
    this.#ledger = ledger
    this.#names = names
  }

  /**
   * @param since the latest time of a request, by `performance.now()`
   * @returns whether later ones are left
   */
  write(since: number, write: (entry: string) => void): boolean {
    const last = this.#ledger.at(this.#ledger.size - 1)
    if (last === undefined || last === this.#last) return false
    if ((this.#ledger.first as Pending).since > since) return true
    const parsing = new Map<string, Captured>()
    const binding = new Set<string>()
    for (let i = 0; i < this.#ledger.size; i += 1) {
      const pending = this.#ledger.at(i) as Pending
      if (pending.since > since) return true
      const { request } = pending
      if (pending.number === 0 && recorded.has(request.kind)) {
        this.#number += 1
        pending.number = this.#number
        const isAsked =
          request.kind === 'bind'
            ? parsing.has(request.statement)
            : request.kind === 'execute' && binding.has(request.portal)
        write(toBegunText(pending, isAsked ? asked(request, parsing) : this.#names))
      }
      if (request.kind === 'parse') parsing.set(request.name, request.sql)
      else if (request.kind === 'bind') binding.add(request.portal)
    }
    this.#last = last
    return false
  }
}

/** What is not accepted yet is not known, except that it makes secrets of values. */
function asked(request: ClientRequest, parsing: ReadonlyMap<string, Captured>): Names {
  const names = new Names()
  const secrets = request.kind === 'bind' ? parsing.get(request.statement)?.secrets : undefined
  if (request.kind === 'bind' && secrets)
    names.parse({ name: request.statement, sql: { text: '', isUnknown: true, secrets }, oids: [] })
  return names
}
