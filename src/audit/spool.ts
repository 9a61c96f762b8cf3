/**
 * A reserved file for events that remove access, for when the log can't be written: made and filled at start, so that
 * it needs no free disk later, and overwritten in place. (A file system that copies on write keeps no such promise.)
 * One line each, `MAC JSON`; the rest of the file is line feeds.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { newTokenId } from '../store/ids.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type AuditEvent, auditTypes } from './audit.ts'
import type { CanonicalValue } from './canonical.ts'
import { readSignedLine, signedLine } from './signed-line.ts'

const purpose = 'audit-spool'
const lineFeed = 10

export interface SpooledEvent {
  readonly id: string
  readonly at: number
  readonly event: AuditEvent
}

export interface SpoolOptions {
  readonly path: string
  /** Default 1 MiB. */
  readonly bytes?: number
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac'>
  readonly logger: Logger
}

/** Opens the spool, or makes it. @throws Error when it can't be reserved in full: a daemon without it must not start */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { path, bytes = 1024 * 1024, keyring, logger } = options
  const file = await openOrMake(path)
  try {
    const { size } = await file.stat()
    if (size < bytes) await fill(file, size, bytes)
    const content = Buffer.alloc(Math.max(size, bytes))
    await file.read(content, 0, content.length, 0)
    const { events, used, damaged } = readSpool(content, keyring)
    if (damaged > 0) logger.error({ path, damaged }, 'skipping damaged or changed lines of the audit spool')
    return new Spool(file, { events, used, bytes: content.length, keyring, logger })
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return await open(path, 'wx+', 0o600)
  }
}

async function fill(file: FileHandle, from: number, to: number): Promise<void> {
  const filling = Buffer.alloc(to - from, lineFeed)
  let written = 0
  while (written < filling.length) {
    written += (await file.write(filling, written, filling.length - written, from + written)).bytesWritten
  }
  await file.sync()
}

/** @returns events whose MAC holds, where the last of the lines ends, and how many lines don't check */
export function readSpool(content: Buffer, keyring: Pick<Keyring, 'checkMac'>) {
  const events: SpooledEvent[] = []
  let used = 0
  let damaged = 0
  for (let start = 0; start < content.length; ) {
    const found = content.indexOf(lineFeed, start)
    const end = found < 0 ? content.length : found
    if (end > start) {
      const event = readLine(content.toString('utf8', start, end), keyring)
      if (event) events.push(event)
      else damaged++
      used = Math.min(end + 1, content.length)
    }
    start = end + 1
  }
  return { events, used, damaged }
}

function readLine(line: string, keyring: Pick<Keyring, 'checkMac'>): SpooledEvent | undefined {
  const spooled = readSignedLine(keyring, purpose, line) as SpooledEvent | undefined
  return spooled && auditTypes.includes(spooled.event.type) ? spooled : undefined
}

interface SpoolState {
  readonly events: readonly SpooledEvent[]
  readonly used: number
  readonly bytes: number
  readonly keyring: Pick<Keyring, 'mac'>
  readonly logger: Logger
}

export class Spool {
  readonly #file: FileHandle
  readonly #keyring: Pick<Keyring, 'mac'>
  readonly #logger: Logger
  readonly #bytes: number
  #events: readonly SpooledEvent[]
  #used: number
  #work: Promise<void> = Promise.resolve()

  constructor(file: FileHandle, state: SpoolState) {
    this.#file = file
    this.#keyring = state.keyring
    this.#logger = state.logger
    this.#bytes = state.bytes
    this.#events = state.events
    this.#used = state.used
  }

  /** Oldest first. */
  get events(): readonly SpooledEvent[] {
    return this.#events
  }

  /** Resolves when the event is on disk. Never rejects: without room it stays in memory, and the log of the daemon has it. */
  add(event: AuditEvent, at: number): Promise<void> {
    const spooled: SpooledEvent = { id: newTokenId(), at, event }
    this.#events = [...this.#events, spooled]
    return this.#serialize(() => this.#write(spooled))
  }

  /** These are in the chain now; the file is wiped once none is left. Never rejects. */
  remove(events: readonly SpooledEvent[]): Promise<void> {
    const gone = new Set(events.map(({ id }) => id))
    this.#events = this.#events.filter(({ id }) => !gone.has(id))
    return this.#serialize(() => this.#wipe())
  }

  async close(): Promise<void> {
    await this.#work
    await this.#file.close()
  }

  #serialize(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#logger.error({ err: error }, 'cannot write the audit spool; keeping its events in memory only')
    })
    return this.#work
  }

  async #write(spooled: SpooledEvent): Promise<void> {
    const line = signedLine(this.#keyring, purpose, spooled as unknown as CanonicalValue)
    if (this.#used + line.length > this.#bytes) {
      const { id, event } = spooled
      this.#logger.error(
        { id, type: event.type, fields: event.fields },
        'the audit spool is full; keeping the event in memory',
      )
      return
    }
    await writeAll(this.#file, line, this.#used)
    await this.#file.datasync()
    this.#used += line.length
  }

  /** From the start, so that what a crash leaves behind is the newest; a second append of it is noticed by its id. */
  async #wipe(): Promise<void> {
    if (this.#events.length > 0 || this.#used === 0) return
    await writeAll(this.#file, Buffer.alloc(this.#used, lineFeed), 0)
    await this.#file.datasync()
    this.#used = 0
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten
  }
}
