import type { EntryWriter } from '../recording/entry-writer.ts'
import type { CopyAsk, CopyDirection } from '../wire/copy/messages.ts'

/** Of one entry, besides its texts, which JSON may make six times as long. */
const entryBytes = 512

/** A file, as far as the broker has forwarded it. */
export interface Forwarded {
  /** Number of the file within its session. */
  readonly request: number
  /** At the instance. */
  readonly path: string
  /** Bytes that were forwarded. */
  readonly size: number
  /** Of those bytes, in hex. */
  readonly sha256: string
}

/** The entries of a copy: each file with its path, size and SHA-256, when it is announced and when it is over; never its bytes. */
export class CopyEntries {
  readonly #entries: EntryWriter
  readonly #now: () => number
  readonly #direction: CopyDirection

  constructor(entries: EntryWriter, now: () => number, direction: CopyDirection) {
    this.#entries = entries
    this.#now = now
    this.#direction = direction
  }

  /** @throws BrokerError RECORDING_FAILED, LIMIT_REACHED, as all of these: nothing may be forwarded */
  begin({ path, recursive }: CopyAsk, detail: Readonly<Record<string, string>>): void {
    this.#write('copy', { ...detail, path, recursive }, path)
  }

  /** It will be forwarded. */
  announced(file: Pick<Forwarded, 'request' | 'path' | 'size'>): void {
    this.#file({ begun: true, ...file }, file.path)
  }

  /** @param failure left out: it is there */
  over({ request, path, size, sha256 }: Forwarded, failure?: string): void {
    const outcome = failure === undefined ? {} : { failure }
    this.#file({ request, path, size, sha256, ...outcome }, path)
  }

  folder(path: string, failure?: string): void {
    this.#write('folder', { direction: this.#direction, path, ...(failure === undefined ? {} : { failure }) }, path)
  }

  skipped(path: string, why: string): void {
    this.#write('skipped', { direction: this.#direction, path, why }, path)
  }

  notice(text: string): void {
    this.#write('notice', { text }, text)
  }

  end(counts: { readonly files: number; readonly bytesUp: number; readonly bytesDown: number }): void {
    this.#write('end', counts)
  }

  #file(members: object, path: string): void {
    this.#write('file', { direction: this.#direction, ...members }, path)
  }

  #write(type: string, members: object, text = ''): void {
    this.#entries.add({ at: this.#now(), type, ...members }, entryBytes + 6 * Buffer.byteLength(text))
  }
}
