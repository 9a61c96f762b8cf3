import { createHash, type Hash } from 'node:crypto'
import type { EntryWriter } from '../recording/entry-writer.ts'
import { Budget } from '../relay/budget.ts'
import type { KindCounts } from '../relay/reports.ts'
import { BrokerError, type SessionPermit } from '../session.ts'
import { errorText } from '../shell/words.ts'
import type { CopyAsk, CopyDirection } from '../wire/copy/messages.ts'
import { isPath } from '../wire/copy/names.ts'
import type { CopyClient } from './client.ts'
import type { CopyEntries, Forwarded } from './entries.ts'
import type { Remote } from './remote.ts'
import { Stop } from './stop.ts'
import { unfinished } from './words.ts'

/** Of one session. */
const mostFiles = 100_000

export interface TransferParts {
  readonly client: CopyClient
  readonly remote: Remote
  readonly ask: CopyAsk
  readonly direction: CopyDirection
  readonly permit: SessionPermit
  readonly writer: EntryWriter
  readonly entries: CopyEntries
  readonly counts: KindCounts
}

/** A file that is under way. */
export class OpenFile {
  readonly request: number
  readonly path: string
  readonly #hash: Hash = createHash('sha256')
  /** Bytes forwarded so far. */
  size = 0

  constructor(request: number, path: string) {
    this.request = request
    this.path = path
  }

  pass(bytes: Buffer): void {
    this.#hash.update(bytes)
    this.size += bytes.length
  }

  /** As far as it was forwarded. */
  forwarded(): Forwarded {
    const { request, path, size } = this
    return { request, path, size, sha256: this.#hash.copy().digest('hex') }
  }
}

/** What one copy forwards: counted, hashed and on record, until it is over. Each method throws once that is so. */
export class Transfer {
  readonly parts: TransferParts
  readonly budget: Budget
  readonly #open = new Set<OpenFile>()
  #files = 0
  #folders = 0
  #over: Error | undefined
  #drained = Promise.withResolvers<void>()
  bytesUp = 0
  bytesDown = 0
  lastActive = performance.now()

  constructor(parts: TransferParts) {
    this.parts = parts
    this.budget = new Budget(parts.permit.engine?.budget)
  }

  get files(): number {
    return this.#files
  }

  /** The recorder has caught up. */
  drained(): void {
    this.#drained.resolve()
  }

  /** Nothing more is forwarded; files that are under way are on record as far as they came. */
  stop(why: Error): void {
    if (this.#over) return
    this.#over = why
    this.drained()
    for (const file of this.#open) this.parts.entries.over(file.forwarded(), unfinished)
    this.#open.clear()
  }

  /** A file will be forwarded. Where a level says `strict`, that is on file. @throws BrokerError LIMIT_REACHED, RECORDING_FAILED */
  async announce(path: string, size: number): Promise<OpenFile> {
    this.check(path)
    this.#files += 1
    if (this.#files > mostFiles) throw new BrokerError('LIMIT_REACHED', `at most ${mostFiles} files at once`)
    const file = new OpenFile(this.#files, path)
    this.parts.entries.announced({ request: file.request, path, size })
    this.#open.add(file)
    await this.#written()
    return file
  }

  /** The next bytes of it are forwarded now. @throws Stop: they must not be */
  pass(file: OpenFile, bytes: Buffer): void {
    this.check()
    const { direction, counts } = this.parts
    const way = direction === 'up' ? 'bytesUp' : 'bytesDown'
    if (this.bytesUp + this.bytesDown + bytes.length > this.budget.mostBytes)
      throw new Stop('budget-used', errorText(this.budget.bytesUsed))
    this[way] += bytes.length
    counts[way] += bytes.length
    file.pass(bytes)
  }

  /** It is over; where a level says `strict`, that is on file. @param failure left out: the file is there */
  async close(file: OpenFile, failure?: string): Promise<Forwarded> {
    this.check()
    this.#open.delete(file)
    const forwarded = file.forwarded()
    this.parts.entries.over(forwarded, failure)
    await this.#written()
    return forwarded
  }

  folder(path: string, failure?: string): void {
    this.check(path)
    this.#folders += 1
    if (this.#folders > mostFiles) throw new BrokerError('LIMIT_REACHED', `at most ${mostFiles} folders at once`)
    this.parts.entries.folder(path, failure)
  }

  skipped(path: string, why: string): void {
    this.check(path)
    this.parts.entries.skipped(path, why)
  }

  /** To the program at the instance. */
  async send(bytes: Buffer | string): Promise<void> {
    this.check()
    await this.parts.remote.send(bytes)
    this.check()
  }

  /** Before anything else is done. @param path that will be named @throws what it is over by; BrokerError PROTOCOL_ERROR */
  check(path?: string): void {
    if (this.#over) throw this.#over
    this.lastActive = performance.now()
    if (path !== undefined && !isPath(path)) throw new BrokerError('PROTOCOL_ERROR', 'a name is too long')
  }

  /** Resolves once the recorder can take more, and has written all where a level says so. */
  async #written(): Promise<void> {
    const { permit, writer } = this.parts
    if (permit.engine?.isRecordingStrict) {
      const { promise, resolve } = Promise.withResolvers<void>()
      permit.recorder.whenWritten(resolve)
      await promise
    }
    while (writer.isFull && !this.#over) {
      this.#drained = Promise.withResolvers()
      await this.#drained.promise
    }
    this.check()
  }
}
