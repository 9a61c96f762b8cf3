/**
 * The packets that a client sends after the sign-in: commands, each numbered from 0, and the data of LOAD DATA LOCAL INFILE, which is
 * numbered on (MySQL documentation, "MySQL Packets", "Sequence ID").
 */
import { WireError } from '../wire-error.ts'
import { fullPiece } from './framer.ts'
import { PacketsOutOfOrder } from './packets.ts'

const headerBytes = 4
const none = Buffer.alloc(0)
const leastHeld = 512

/** Gets what a {@link CommandFramer} finds. Bytes are valid during the call only. */
export interface CommandSink {
  /** What begins now is data of a file. */
  readonly isData: boolean
  /** A command of at most `keptBytes`, whole: `bytes[start, end)`. @returns false: it is kept back, for the broker to answer */
  command(bytes: Buffer, start: number, end: number): boolean
  /** A longer command begins: its first `keptBytes`, which also come with `part`. @returns as of `command` */
  begin(bytes: Buffer, start: number, end: number): boolean
  /** More of a longer command, or of data: every byte, in order. */
  part(bytes: Buffer, start: number, end: number): void
  /** A longer command has ended. @param length of all its pieces @param sequence of the packet that answers it */
  end(length: number, sequence: number): void
  /** A packet of data has ended. @param length 0: the file has */
  endData(length: number, sequence: number): void
}

/** What of a chunk goes on. */
interface Passing {
  readonly passing: Buffer
  readonly rest?: Buffer
}

const phase = { start: 0, held: 1, passed: 2, dropped: 3 } as const
type Phase = (typeof phase)[keyof typeof phase]

/**
 * Finds the commands in a stream of chunks. Nothing of a command goes on before its first `keptBytes` are here and the sink has
 * let it; a command that the broker answers never goes on. Data of files goes on as it comes.
 */
export class CommandFramer {
  readonly #sink: CommandSink
  readonly #keptBytes: number
  #phase: Phase = phase.start
  /** The first bytes of a command. */
  #held = none
  #have = 0
  /** Id that the next packet must have. */
  #next = 0
  /** Bytes of a later header that are here. */
  #headed = 0
  #header = 0
  #need = 0
  #length = 0
  #isSplit = false
  #isData = false
  #passing: Passing = { passing: none }
  /** A command that is kept back has ended. */
  #isRefused = false
  /** Of the chunk that is scanned. */
  #ahead = none
  #from = 0

  constructor(sink: CommandSink, keptBytes: number) {
    this.#sink = sink
    this.#keptBytes = keptBytes
  }

  /** What has gone on ends with a whole packet. */
  get atBoundary(): boolean {
    return this.#phase !== phase.passed
  }

  /** Nothing of a packet is here. */
  get isIdle(): boolean {
    return this.#phase === phase.start
  }

  /** Data is numbered on from the server's request. */
  expectData(sequence: number): void {
    this.#next = sequence
  }

  /** Id of the packet of data that comes next. */
  get nextData(): number {
    return this.#next
  }

  /** What goes on of the chunk, after a scan that did not return all of it. */
  get passing(): Passing {
    return this.#passing
  }

  /**
   * @returns the length of the chunk: all of it goes on, and nothing else does; 0: see {@link passing}
   * @throws WireError for a packet out of order, or an empty command
   */
  scan(chunk: Buffer): number {
    const end = chunk.length
    this.#ahead = none
    this.#from = 0
    let at = 0
    /** Where the last byte goes on. */
    let to = this.#isKeeping ? 0 : end
    while (at < end) {
      if (this.#phase === phase.start) {
        const next = this.#start(chunk, at)
        if (next < 0) return this.#stop(chunk, at, -next)
        if (this.#isRefused) return this.#stop(chunk, at, next)
        to = this.#isKeeping ? at : end
        at = next
      } else if (this.#phase === phase.held) {
        at = this.#hold(chunk, at)
        this.#from = at
        to = this.#isKeeping ? at : end
        if (this.#isRefused) return this.#stop(chunk, at, at)
      } else {
        at = this.#pass(chunk, at)
        if (this.#isRefused) return this.#stop(chunk, to, at)
      }
    }
    if (this.#ahead.length === 0 && this.#from === 0 && to === end) return end
    this.#passing = { passing: this.#join(chunk, to) }
    return 0
  }

  /** What is read now does not go on. */
  get #isKeeping(): boolean {
    return this.#phase === phase.held || this.#phase === phase.dropped
  }

  /** @param to of what goes on @param rest where what follows begins */
  #stop(chunk: Buffer, to: number, rest: number): number {
    this.#isRefused = false
    this.#passing = { passing: this.#join(chunk, to), rest: chunk.subarray(rest) }
    return 0
  }

  #join(chunk: Buffer, to: number): Buffer {
    const part = chunk.subarray(this.#from, Math.max(this.#from, to))
    if (this.#ahead.length === 0) return part
    return part.length === 0 ? this.#ahead : Buffer.concat([this.#ahead, part])
  }

  /** @returns where to read on; negative: a command that is kept back has ended there */
  #start(chunk: Buffer, at: number): number {
    const end = chunk.length
    this.#length = 0
    this.#headed = 0
    this.#isData = this.#sink.isData
    if (this.#isData) {
      this.#phase = phase.passed
      this.#need = 0
      return at
    }
    const from = at + headerBytes
    const length = from <= end ? lengthOf(chunk, at) : fullPiece
    const kept = Math.min(length, this.#keptBytes)
    if (from + kept > end) {
      this.#phase = phase.held
      this.#have = 0
      return this.#hold(chunk, at)
    }
    const isLet = this.#decide(chunk, at, length)
    if (length <= this.#keptBytes) return isLet ? from + length : -(from + length)
    return this.#enter(chunk, from, length, isLet)
  }

  /** @returns whether the command goes on */
  #decide(bytes: Buffer, at: number, length: number): boolean {
    if (bytes[at + 3] !== 0) throw new PacketsOutOfOrder()
    if (length === 0) throw new WireError('an empty command')
    const from = at + headerBytes
    if (length <= this.#keptBytes) return this.#sink.command(bytes, from, from + length)
    this.#next = 1
    return this.#sink.begin(bytes, from, from + this.#keptBytes)
  }

  #enter(chunk: Buffer, from: number, length: number, isLet: boolean): number {
    this.#phase = isLet ? phase.passed : phase.dropped
    this.#need = length
    this.#isSplit = length === fullPiece
    return this.#pass(chunk, from)
  }

  #hold(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length) {
      const length = this.#have < headerBytes ? 0 : lengthOf(this.#held, 0)
      const want = headerBytes + Math.min(length, this.#keptBytes)
      const take = Math.min(want - this.#have, chunk.length - at)
      this.#keep(chunk, at, at + take, want)
      at += take
      if (this.#have < want) return at
      const known = lengthOf(this.#held, 0)
      if (this.#have === headerBytes + Math.min(known, this.#keptBytes)) {
        this.#release(known)
        return at
      }
    }
    return at
  }

  #keep(chunk: Buffer, from: number, to: number, want: number): void {
    const have = this.#have + to - from
    if (this.#held.length < have) {
      const grown = Buffer.allocUnsafeSlow(Math.max(have, leastHeld, Math.min(want, this.#held.length * 2)))
      this.#held.copy(grown, 0, 0, this.#have)
      this.#held = grown
    }
    chunk.copy(this.#held, this.#have, from, to)
    this.#have = have
  }

  /** Enough of the command is here. */
  #release(length: number): void {
    const held = this.#held.subarray(0, this.#have)
    this.#held = none
    const isLet = this.#decide(held, 0, length)
    if (isLet) this.#ahead = held
    if (length <= this.#keptBytes) {
      this.#phase = phase.start
      this.#isRefused = !isLet
    } else {
      this.#enter(held, headerBytes, length, isLet)
    }
  }

  /** Bytes of a longer command or of data. @returns where it ends, or the chunk */
  #pass(chunk: Buffer, start: number): number {
    let at = start
    for (;;) {
      if (this.#need > 0) {
        const to = Math.min(chunk.length, at + this.#need)
        if (to > at && this.#phase === phase.passed) this.#sink.part(chunk, at, to)
        this.#length += to - at
        this.#need -= to - at
        at = to
        if (this.#need > 0) return at
        if (!this.#isSplit) return this.#finish(at)
      }
      if (at === chunk.length) return at
      at = this.#readHeader(chunk, at)
      if (this.#headed > 0) return at
      if (this.#need === 0) return this.#finish(at)
    }
  }

  #readHeader(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length && this.#headed < headerBytes - 1) {
      if (this.#headed === 0) this.#header = 0
      this.#header += (chunk[at] as number) << (8 * this.#headed)
      this.#headed += 1
      at += 1
    }
    if (at === chunk.length) return at
    if (chunk[at] !== this.#next) throw new PacketsOutOfOrder()
    this.#next = (this.#next + 1) & 0xff
    this.#headed = 0
    this.#need = this.#header
    this.#isSplit = this.#header === fullPiece
    return at + 1
  }

  #finish(at: number): number {
    const isLet = this.#phase === phase.passed
    this.#phase = phase.start
    if (this.#isData) this.#sink.endData(this.#length, this.#next)
    else {
      this.#sink.end(this.#length, this.#next)
      this.#isRefused = !isLet
    }
    return at
  }
}

function lengthOf(bytes: Buffer, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
}
