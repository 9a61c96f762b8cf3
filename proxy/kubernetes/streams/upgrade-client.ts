import type { Duplex } from 'node:stream'
import type { BrokerError } from '../../session.ts'
import { whenClientLeaves } from '../../streams/client-leaves.ts'
import { ClientLeft } from '../../streams/client-line.ts'
import { endWith } from '../../streams/farewell.ts'
import type { RequestAttributes } from '../../wire/kubernetes/attributes.ts'
import { refusalAnswer } from '../answer-refusal.ts'
import { type AskedUpgrade, encodeAnswer, encodeSwitch } from '../upgrade.ts'

/** A client that waits for the answer to its upgrade; it gets one, and after any but 101 its connection is closed. */
export class UpgradeClient {
  readonly stream: Duplex
  /** What it has sent behind its request. */
  readonly head: Buffer
  readonly #left = new AbortController()
  readonly #stopWatching: () => void

  constructor(stream: Duplex, head: Buffer) {
    this.stream = stream
    this.head = head
    stream.on('error', () => {}) // followed by `close`
    this.#stopWatching = whenClientLeaves(stream, () => this.#left.abort(new ClientLeft()))
  }

  /** Aborted once it has disconnected. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  refuse(error: BrokerError, attributes: RequestAttributes | null = null): void {
    const { status, headers, body } = refusalAnswer(error, attributes)
    this.answer(status, headers, Buffer.from(body))
  }

  /** @param headers names and values by turns, without lengths */
  answer(status: number, headers: readonly string[], body: Buffer): void {
    this.#stopWatching()
    endWith(this.stream, encodeAnswer(status, headers, body))
  }

  /** @param protocol of the streams, which the cluster chose */
  switch(asked: AskedUpgrade, protocol: string): void {
    this.#stopWatching()
    this.stream.write(encodeSwitch(asked, protocol))
  }
}
