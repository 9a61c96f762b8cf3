import { hash } from 'node:crypto'
import { write as writeFile } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { SessionRecorder } from '../../proxy/relay/session-host.ts'
import { BrokerError, type SealedRecording } from '../../proxy/session.ts'
import { bufferBytes, type RecordingBuffers } from './recording-buffers.ts'
import type { RecordingQuota } from './recording-quota.ts'
import { longestEntryBytes } from './recording-scan.ts'

const lineFeed = 10
/** A buffer begins with the previous hash, so that one call hashes both, and keeps room for the chain line. */
const hashBytes = 64
const chainBytes = 96
const usableEnd = bufferBytes - chainBytes
const entryStart = '{"at":'
/** Bytes of UTF-8 that a UTF-16 unit can become. */
const mostPerUnit = 3

interface WaitingBatch {
  readonly buffer: Buffer
  readonly end: number
  /** Of entries, without the chain line. */
  readonly bytes: number
  readonly head: string
  /** Entries of the recording once this batch is written. */
  readonly entries: number
}

export interface WriterOptions {
  readonly file: FileHandle
  /** Bytes and hash of the header, which is written. */
  readonly offset: number
  readonly head: string
  readonly sessionId: string
  readonly principalId: string
  readonly buffers: RecordingBuffers
  readonly quota: RecordingQuota
  /** Unwritten bytes at which the engine has to pause. */
  readonly highWater: number
  onSealed(): void
}

/** Waits until so many entries are in the file. */
interface Waiting {
  readonly entries: number
  readonly done: () => void
}

/**
 * Writes one recording. `write` only copies; batches are hashed and written at 64 KB or 80 ms. Once a limit is reached no request
 * gets room, but entries of what was forwarded before are still taken; after an error of the disk none are.
 */
export class RecordingWriter implements SessionRecorder {
  readonly #options: WriterOptions
  #buffer: Buffer | undefined
  #used = 0
  /** Where entries must end in the buffer; 0 without one. */
  #room = 0
  #inBuffer = 0
  /** Plain entries after those in the buffer, each with its line feed: one copy of many is cheaper than many copies. */
  #plain = ''
  #plainEntries = 0
  /** Known to the shared timer, which has not come yet; it came while a batch was being written. */
  #isWaiting = false
  #isDue = false
  #entries = 0
  #head: string
  #accepted: number
  #unwritten = 0
  #queue: WaitingBatch[] = []
  #isWriting = false
  #isPaused = false
  #reserved = 0
  /** Why no request gets room. */
  #refusal: BrokerError | undefined
  /** Why no entry is accepted. */
  #closed: BrokerError | undefined
  /** The disk failed: unwritten entries are lost. */
  #isBroken = false
  #sealed: Promise<SealedRecording> | undefined
  #written: { readonly head: string; readonly entries: number; readonly offset: number }
  readonly #onDrain: (() => void)[] = []
  readonly #onFlush: (() => boolean)[] = []
  readonly #waiting: Waiting[] = []
  readonly #onFailure: ((error: Error) => void)[] = []
  #onIdle: () => void = () => {}

  constructor(options: WriterOptions) {
    this.#options = options
    this.#head = options.head
    this.#accepted = options.offset
    this.#written = { head: options.head, entries: 0, offset: options.offset }
  }

  /** The last batch that is in the file. */
  head(): { head: string; entries: number } {
    const { head, entries } = this.#written
    return { head, entries }
  }

  reserve(bytes: number): void {
    if (this.#refusal !== undefined) throw this.#refusal
    if (this.#accepted + this.#reserved + bytes > this.#options.quota.maxPerSessionBytes) {
      const limit = this.#sessionLimit()
      this.#refuse(limit)
      throw limit
    }
    this.#reserved += bytes
    this.#flushSoon()
  }

  release(bytes: number): void {
    this.#reserved -= bytes
  }

  write(entry: string, isPlain = false): boolean {
    if (this.#closed !== undefined) throw this.#closed
    const length = isPlain ? this.#addPlain(entry) : this.#add(entry)
    this.#inBuffer++
    this.#unwritten += length
    this.#accepted += length
    this.#flushSoon()
    if (this.#unwritten < this.#options.highWater) return true
    this.#isPaused = true
    return false
  }

  /** @returns how many bytes it takes */
  #add(entry: string): number {
    if (!isOneEntry(entry)) {
      this.#break(forged())
      throw this.#closed
    }
    this.#copyPlain()
    const most = entry.length * mostPerUnit + 1
    const buffer =
      this.#buffer !== undefined && this.#used + most <= this.#room
        ? this.#buffer
        : this.#makeRoom(Buffer.byteLength(entry) + 1)
    const from = this.#used
    const end = from + buffer.write(entry, from)
    buffer[end] = lineFeed
    this.#used = end + 1
    return end + 1 - from
  }

  #addPlain(entry: string): number {
    const length = entry.length + 1
    if (this.#buffer === undefined || this.#used + this.#plain.length + length > this.#room) this.#makeRoom(length)
    this.#plain += `${entry}\n`
    this.#plainEntries++
    return length
  }

  #copyPlain(): void {
    const buffer = this.#buffer
    if (this.#plain === '' || buffer === undefined) return
    const [from, text, count] = [this.#used, this.#plain, this.#plainEntries]
    this.#plain = ''
    this.#plainEntries = 0
    this.#used += buffer.write(text, from)
    const isAscii = this.#used === from + text.length
    if (!isAscii || !areEntries(buffer, from, this.#used, count)) this.#break(forged())
  }

  #flushSoon(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#options.buffers.flushSoon(this)
  }

  onFlush(listener: () => boolean): void {
    this.#onFlush.push(listener)
  }

  whenWritten(done: () => void): void {
    const entries = this.#entries + this.#inBuffer
    if (entries <= this.#written.entries) done()
    else {
      this.#waiting.push({ entries, done })
      this.#writeOut()
    }
  }

  onDrain(listener: () => void): void {
    this.#onDrain.push(listener)
  }

  onFailure(listener: (error: Error) => void): void {
    this.#onFailure.push(listener)
    const refusal = this.#refusal
    if (refusal !== undefined && this.#sealed === undefined) queueMicrotask(() => listener(refusal))
  }

  /** Called by the shared timer: while a batch is being written, new entries collect for the next. */
  flush(): void {
    this.#flushed(this.#writeWhatRuns())
  }

  /** As {@link flush}, unless no request has run so long that it needs an entry of its own. */
  flushUrgent(): boolean {
    const before = this.#accepted
    const isNextNeeded = this.#writeWhatRuns()
    if (this.#accepted === before) return false
    this.#flushed(isNextNeeded)
    return true
  }

  /** @returns whether others still run */
  #writeWhatRuns(): boolean {
    let isNextNeeded = false
    if (this.#closed === undefined) for (const listener of this.#onFlush) isNextNeeded = listener() || isNextNeeded
    return isNextNeeded
  }

  #flushed(isNextNeeded: boolean): void {
    this.#isWaiting = false
    if (isNextNeeded) this.#flushSoon()
    this.#writeOut()
  }

  #writeOut(): void {
    this.#isDue = this.#isWriting
    if (this.#isDue) return
    this.#closeBatch()
    this.#pump()
  }

  seal(): Promise<SealedRecording> {
    this.#sealed ??= this.#seal()
    return this.#sealed
  }

  #makeRoom(length: number): Buffer {
    if (length > longestEntryBytes) throw new BrokerError('RECORDING_FAILED', `an entry of ${length} bytes is too long`)
    this.#closeBatch()
    this.#pump()
    const needed = hashBytes + length + chainBytes
    this.#buffer = needed <= bufferBytes ? this.#options.buffers.take() : Buffer.allocUnsafeSlow(needed)
    this.#used = hashBytes
    this.#room = Math.max(usableEnd, hashBytes + length)
    return this.#buffer
  }

  /** Chains the entries in the buffer and queues them for writing. */
  #closeBatch(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    this.#copyPlain()
    const [used, count] = [this.#used, this.#inBuffer]
    this.#buffer = undefined
    this.#used = 0
    this.#room = 0
    this.#inBuffer = 0
    if (this.#isBroken) {
      this.#options.buffers.give(buffer)
      return
    }
    buffer.write(this.#head, 0, 'latin1')
    this.#head = hash('sha256', buffer.subarray(0, used))
    this.#entries += count
    const end = used + buffer.write(`{"chain":"${this.#head}","n":${count}}\n`, used, 'latin1')
    const bytes = used - hashBytes
    this.#queue.push({ buffer, end, bytes, head: this.#head, entries: this.#entries })
    const { quota, principalId, buffers } = this.#options
    buffers.count(bytes)
    const refusal = quota.spend(principalId, end - hashBytes)
    if (refusal) this.#refuse(refusal)
  }

  #pump(): void {
    const batch = this.#queue[0]
    if (this.#isWriting || batch === undefined) return
    this.#isWriting = true
    this.#writeBatch(batch, hashBytes, this.#written.offset)
  }

  #writeBatch(batch: WaitingBatch, from: number, position: number): void {
    const { buffer, end } = batch
    writeFile(this.#options.file.fd, buffer, from, end - from, position, (error, count) => {
      if (error) this.#finish(undefined, error)
      else if (count < end - from) this.#writeBatch(batch, from + count, position + count)
      else this.#finish(batch)
    })
  }

  #finish(batch: WaitingBatch | undefined, error?: Error): void {
    this.#isWriting = false
    if (batch) {
      this.#queue.shift()
      const { buffer, end, bytes, head, entries } = batch
      this.#written = { head, entries, offset: this.#written.offset + end - hashBytes }
      this.#unwritten -= bytes
      this.#options.buffers.count(-bytes)
      this.#options.buffers.give(buffer)
      this.#drain()
      this.#tellWritten()
    }
    if (error) this.#break(error)
    if (this.#isDue && this.#queue.length === 0) this.#writeOut()
    else this.#pump()
    if (!this.#isWriting) this.#onIdle()
  }

  #drain(): void {
    if (!this.#isPaused || this.#unwritten > this.#options.highWater / 2) return
    this.#isPaused = false
    for (const listener of this.#onDrain) listener()
  }

  #tellWritten(): void {
    for (let [next] = this.#waiting; next && next.entries <= this.#written.entries; [next] = this.#waiting) {
      this.#waiting.shift()
      next.done()
    }
  }

  /** The file can't be written any more: drops unwritten entries and reports it once. */
  #break(cause: Error): void {
    this.#isBroken = true
    for (const { buffer, bytes } of this.#queue) {
      this.#options.buffers.count(-bytes)
      this.#options.buffers.give(buffer)
    }
    this.#queue = []
    this.#closed ??= new BrokerError('RECORDING_FAILED', undefined, { cause })
    this.#refuse(this.#closed)
  }

  /** From now on no request gets room; reported asynchronously, so that no session is cut in the middle of its own write. */
  #refuse(error: BrokerError): void {
    if (this.#refusal !== undefined) return
    this.#refusal = error
    queueMicrotask(() => {
      for (const listener of this.#onFailure) listener(error)
    })
  }

  #sessionLimit(): BrokerError {
    return new BrokerError('LIMIT_REACHED', `the recording has reached ${this.#options.quota.maxPerSessionBytes} bytes`)
  }

  async #seal(): Promise<SealedRecording> {
    this.#closed ??= closed
    this.#refusal ??= this.#closed
    const { file, onSealed } = this.#options
    try {
      this.#closeBatch()
      this.#pump()
      await this.#idle()
      // A batch that the disk took only in part would make the file look tampered with.
      if (this.#isBroken) await file.truncate(this.#written.offset)
      await file.sync()
    } catch (cause) {
      throw new BrokerError('RECORDING_FAILED', undefined, { cause })
    } finally {
      await file.close()
      onSealed()
    }
    return { digest: this.#written.head, entries: this.#written.entries }
  }

  #idle(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }
}

/** Made once: each session ends with it, and it is of no place in particular. */
const closed = new BrokerError('RECORDING_FAILED', 'the recording is closed')

/** One line, and none that could pass for a chain line: an engine's mistake must not let a client forge one. */
function isOneEntry(entry: string): boolean {
  return entry.startsWith(entryStart) && !entry.includes('\n')
}

/** The same, of so many lines. */
function areEntries(bytes: Buffer, from: number, end: number, count: number): boolean {
  let at = from
  for (let i = 0; i < count; i += 1) {
    if (!startsEntry(bytes, at)) return false
    at = bytes.indexOf(lineFeed, at) + 1
    if (at === 0) return false
  }
  return at === end
}

function startsEntry(bytes: Buffer, from: number): boolean {
  for (let i = 0; i < entryStart.length; i += 1) if (bytes[from + i] !== entryStart.charCodeAt(i)) return false
  return true
}

function forged(): Error {
  return new Error('an engine recorded an entry with a line break, or one that looks like a chain line')
}
