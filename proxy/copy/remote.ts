import { Inbox } from '../relay/inbox.ts'
import { BrokerError } from '../session.ts'
import type { ChannelOptions } from '../ssm/channel.ts'
import { Terminal } from '../ssm/terminal.ts'
import { type ProgramEvent, ProgramReader } from '../wire/copy/program.ts'
import { WireError } from '../wire/wire-error.ts'

const hint = 'It needs base64, dd, head and stat as GNU, busybox or uutils have them.'

/** The program at the instance that reads and writes the files. */
export class Remote {
  readonly terminal: Terminal
  readonly #reader = new ProgramReader()
  readonly #inbox: Inbox<ProgramEvent>
  #room = Promise.withResolvers<void>()

  constructor(options: ChannelOptions) {
    this.terminal = new Terminal(options)
    const { stream, stderr } = this.terminal
    this.#inbox = new Inbox(stream)
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stderr.resume()
    for (const event of ['end', 'close']) stream.once(event, () => void this.#ended())
    for (const event of ['drain', 'close']) stream.on(event, () => this.#room.resolve())
  }

  /** Once it takes what it is told. @throws BrokerError why it does not */
  async ready(): Promise<void> {
    const event = await this.#inbox.take()
    if (event.type === 'refused') throw new BrokerError('TARGET_REFUSED', event.why, { hint })
    if (event.type !== 'ready') throw unexpected()
  }

  /** @throws BrokerError TARGET_LOST, TARGET_REFUSED … when it is over */
  async next(): Promise<ProgramEvent> {
    return await this.#inbox.take()
  }

  /** Resolves once more may be sent. */
  async send(bytes: Buffer | string): Promise<void> {
    const { stream } = this.terminal
    if (stream.write(bytes) || stream.destroyed) return
    this.#room = Promise.withResolvers()
    await this.#room.promise
  }

  /** Nothing more of what it says counts. */
  forget(error: Error): void {
    this.#inbox.discard(error)
  }

  #read(chunk: Buffer): void {
    try {
      for (const event of this.#reader.push(chunk))
        this.#inbox.push(event, event.type === 'bytes' ? event.bytes.length : 0)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#inbox.close(unexpected(error))
    }
  }

  async #ended(): Promise<void> {
    const end = await this.terminal.ended
    if (end.reason === 'failed') this.#inbox.close(end.error)
    else {
      const why = end.reason === 'closed' && end.text !== '' ? end.text : 'the program that copies has ended'
      this.#inbox.close(new BrokerError('TARGET_REFUSED', why))
    }
  }
}

export function unexpected(cause?: Error): BrokerError {
  return new BrokerError('TARGET_LOST', 'the program that copies said what it never says', { cause })
}
