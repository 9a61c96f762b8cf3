import type { Digests } from '../../recording/digests.ts'
import { CopyDigest } from '../../recording/passing-digest.ts'
import { BrokerError } from '../../session.ts'
import type { ClientRequest, Pending } from './pending.ts'

/** The COPYs of the statement that runs now, one in each direction at most (PostgreSQL documentation, "COPY Operations"). */
export class Copies {
  readonly #digests: Digests
  #in: CopyDigest | undefined
  #out: CopyDigest | undefined
  /** The client sent a Sync before it knew of the COPY; the server should ignore it. */
  #hasEarlySync = false

  constructor(digests: Digests) {
    this.#digests = digests
  }

  /** Undefined: the server doesn't take CopyData from the client now. */
  get in(): CopyDigest | undefined {
    return this.#in
  }

  get areUnderWay(): boolean {
    return this.#in !== undefined || this.#out !== undefined
  }

  begin(): void {
    this.#in = new CopyDigest(this.#digests)
  }

  /** @returns the one under way, which begins here if none is */
  beginOut(): CopyDigest {
    this.#out ??= new CopyDigest(this.#digests)
    return this.#out
  }

  /** During COPY the server ignores a Sync and closes the connection at any other request. @throws BrokerError PROTOCOL_ERROR */
  requested({ kind }: ClientRequest): void {
    if (kind !== 'sync') throw statementDuringCopy()
    this.#hasEarlySync = true
  }

  /** @param isDone by CopyDone */
  endIn(of: Pending | undefined, isDone: boolean): void {
    if (of && this.#in) of.copyIn = this.#in.finish(isDone)
    this.#in = undefined
  }

  /** The statement has ended. @param isWhole without an error */
  end(of: Pending | undefined, isWhole: boolean): void {
    if (of && this.#out) of.copyOut = this.#out.finish(isWhole)
    this.#out = undefined
    if (this.#in) this.endIn(of, false) // otherwise the client ended it
    if (isWhole) this.#hasEarlySync = false
  }

  /** @returns whether a Sync came too early for a COPY that has failed */
  takeEarlySync(): boolean {
    const had = this.#hasEarlySync
    this.#hasEarlySync = false
    return had
  }
}

export function statementDuringCopy(): BrokerError {
  const hint = 'Wait for the answer to COPY FROM STDIN before sending the next statement.'
  return new BrokerError('PROTOCOL_ERROR', 'a statement during COPY FROM STDIN', { hint })
}
