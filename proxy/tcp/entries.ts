import type { EntryWriter } from '../recording/entry-writer.ts'

/** Of one entry, at most. */
const entryBytes = 512

/** The entries of a stream: where it leads, how many bytes have passed, and what was done for it at the instance; never its bytes. */
export class TcpEntries {
  readonly #entries: EntryWriter
  readonly #now: () => number

  constructor(entries: EntryWriter, now: () => number) {
    this.#entries = entries
    this.#now = now
  }

  /** @throws BrokerError RECORDING_FAILED, LIMIT_REACHED: nothing may be passed on */
  begin(detail: Readonly<Record<string, string>>): void {
    this.#write('stream', { ...detail, content: 'cannot be read by the broker; its bytes are counted' })
  }

  /** What the command showed that puts in the key of a session. */
  command(text: string): void {
    this.#write('output', { text }, 2 * text.length)
  }

  traffic(type: 'traffic' | 'end', bytesUp: number, bytesDown: number): void {
    this.#write(type, { bytesUp, bytesDown })
  }

  notice(text: string): void {
    this.#write('notice', { text }, 2 * text.length)
  }

  #write(type: string, members: object, bytes = 0): void {
    this.#entries.add({ at: this.#now(), type, ...members }, entryBytes + bytes)
  }
}
