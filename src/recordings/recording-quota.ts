import { open, statfs } from 'node:fs/promises'
import { BrokerError } from '../../proxy/session.ts'
import { type Counter, type Counts, countsHere } from '../store/counts/counter.ts'
import type { Clock } from '../telemetry/clock.ts'
import { dayOf, listDay } from './recording-files.ts'

export interface QuotaOptions {
  readonly dir: string
  readonly clock: Clock
  readonly maxPerSessionBytes: number
  readonly maxPerPrincipalBytes: number
  readonly reserveBytes: number
  /** Free bytes of the disk; default `statfs`. */
  readonly freeBytes?: (dir: string) => Promise<number>
  /** By default those of this daemon alone. */
  readonly counts?: Counts
}

const freshMs = 500
const noRoom = 'the only free disk space left is reserved for the audit log'
const dayMs = 86_400_000
const recheckMs = 2000

/** Limits recordings: per principal and day, and by the disk space reserved for the audit log. */
export class RecordingQuota {
  readonly #options: QuotaOptions
  /** Bytes of this day, by principal. */
  readonly #used: Counter
  #day: string
  /** Epoch milliseconds between which it is that day. */
  #dayStart = 0
  #dayEnd = 0
  /** Free bytes at the last check, less what was written since. */
  #free = 0
  #checkedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  constructor(options: QuotaOptions) {
    const { counts = countsHere(options.clock), maxPerPrincipalBytes } = options
    this.#options = options
    this.#used = counts.counter('recordings', maxPerPrincipalBytes, Number.POSITIVE_INFINITY)
    this.#day = dayOf(options.clock.now())
  }

  get maxPerSessionBytes(): number {
    return this.#options.maxPerSessionBytes
  }

  /** Adds up what was recorded today before the daemon started. */
  async load(): Promise<void> {
    this.#rollOver()
    for (const path of await listDay(this.#options.dir, this.#day)) {
      const { principal, bytes } = await measure(path)
      if (principal !== undefined) this.#used.add(principal, bytes, this.#dayEnd)
    }
    await this.#look()
  }

  /** @throws BrokerError LIMIT_REACHED, RECORDING_FAILED when no new recording may begin */
  async admit(principalId: string): Promise<void> {
    await this.#lookAnew()
    const error = this.#problem(principalId)
    if (error) throw error
  }

  /** @returns why no new recording may begin, for anyone */
  async diskProblem(): Promise<string | undefined> {
    try {
      await this.#lookAnew()
    } catch (error) {
      return `recordings.dir cannot be used: ${(error as Error).message}`
    }
    return this.#free < this.#options.reserveBytes ? `recordings.dir: ${noRoom}` : undefined
  }

  /** Counts what is about to be written. @returns why nothing more may be recorded, if so */
  spend(principalId: string, bytes: number): BrokerError | undefined {
    this.#rollOver()
    this.#used.add(principalId, bytes, this.#dayEnd)
    this.#free -= bytes
    if (performance.now() - this.#checkedAt > recheckMs) void this.#look().catch(() => undefined) // the next write finds out
    return this.#problem(principalId)
  }

  #problem(principalId: string): BrokerError | undefined {
    this.#rollOver()
    const { maxPerPrincipalBytes, reserveBytes } = this.#options
    if (this.#free < reserveBytes) {
      return new BrokerError('RECORDING_FAILED', noRoom)
    }
    const used = this.#used.read(principalId).current
    if (used < maxPerPrincipalBytes) return undefined
    return new BrokerError('LIMIT_REACHED', `your recordings of today use ${used} of ${maxPerPrincipalBytes} bytes`)
  }

  #rollOver(): void {
    const now = this.#options.clock.now()
    if (now >= this.#dayStart && now < this.#dayEnd) return
    this.#dayStart = now - (now % dayMs)
    this.#dayEnd = this.#dayStart + dayMs
    const today = dayOf(now)
    if (today === this.#day) return
    this.#day = today
    this.#used.clear()
  }

  async #lookAnew(): Promise<void> {
    if (performance.now() - this.#checkedAt > freshMs) await this.#look()
  }

  #look(): Promise<void> {
    this.#checking ??= this.#measureDisk().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #measureDisk(): Promise<void> {
    const { dir, freeBytes = freeBytesOf } = this.#options
    this.#free = await freeBytes(dir)
    this.#checkedAt = performance.now()
  }
}

async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize
}

const longestHeader = 4096

async function measure(path: string): Promise<{ principal: string | undefined; bytes: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestHeader), 0, longestHeader, 0)
    const [line = ''] = buffer.toString('utf8', 0, bytesRead).split('\n')
    return { principal: readPrincipal(line), bytes: size }
  } finally {
    await file.close()
  }
}

function readPrincipal(line: string): string | undefined {
  try {
    const { principal } = JSON.parse(line) as { principal?: unknown }
    return typeof principal === 'string' ? principal : undefined
  } catch {
    return undefined // incomplete header of a session that never began: not counted
  }
}
