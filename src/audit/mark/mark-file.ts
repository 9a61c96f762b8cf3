/**
 * The file `mark` in `state.dir`: two slots of one page each, written in turn, so that a torn write leaves the other. A slot is
 * `MAC JSON`, filled up with line feeds. The file is made whole once and never grows, so that a full disk stops no write and no start.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Keyring } from '../../store/keyring.ts'
import type { CanonicalValue } from '../canonical.ts'
import { readSignedLine, signedLine } from '../signed-line.ts'

/** How far the log had come, as this machine remembers it apart from the store. */
export interface MarkState {
  readonly v: 1
  /** Id of the mark; the log, checkpoints and anchors name it. */
  readonly mark: string
  readonly installation: string
  /** Counts the writes: the greater one of two slots is the newer. */
  readonly count: number
  /** Last event, and its hash. */
  readonly seq: number
  readonly hash: string
  /** When it was written, epoch milliseconds. */
  readonly at: number
  /** Number of the newest checkpoint. */
  readonly checkpoint: number
  /** From when on each type of removal counts in the digest, epoch milliseconds. */
  readonly since: Readonly<Record<string, number>>
  /** Digest of the standing removals up to `seq`. */
  readonly removals: string
  /** What was found wrong with the log while the daemon ran. */
  readonly damage: string | null
}

export type MarkReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable' }
  | {
      readonly kind: 'read'
      readonly state: MarkState
      /** The slot to write next; undefined: the file has another size than it should, and must be made anew. */
      readonly nextSlot: number | undefined
    }

type Macs = Pick<Keyring, 'mac' | 'checkMac'>

const purpose = 'audit-mark'
const slotBytes = 4096
const lineFeed = 10

const pathOf = (stateDir: string) => join(stateDir, 'mark')

/** The newer of the slots that verify. A file without one was damaged, or belongs to other keys. */
export async function readMark(stateDir: string, keyring: Macs): Promise<MarkReading> {
  let content: Buffer
  try {
    content = await readFile(pathOf(stateDir))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' }
    throw error
  }
  const found = [0, 1].flatMap((slot) => {
    const state = readSlot(content.subarray(slot * slotBytes, (slot + 1) * slotBytes), keyring)
    return state ? [{ slot, state }] : []
  })
  const newest = found.sort((a, b) => b.state.count - a.state.count)[0]
  if (!newest) return { kind: 'unreadable' }
  const nextSlot = content.length === 2 * slotBytes ? 1 - newest.slot : undefined
  return { kind: 'read', state: newest.state, nextSlot }
}

function readSlot(slot: Buffer, keyring: Macs): MarkState | undefined {
  const state = readSignedLine(keyring, purpose, slot.toString('utf8').trimEnd()) as MarkState | undefined
  return state?.v === 1 ? state : undefined
}

function writeSlot(state: MarkState, keyring: Macs): Buffer {
  const line = signedLine(keyring, purpose, state as unknown as CanonicalValue)
  if (line.length > slotBytes) throw new Error('the mark does not fit into its slot')
  return Buffer.concat([line, Buffer.alloc(slotBytes - line.length, lineFeed)])
}

/** Makes the file, or replaces it as a whole: it is never seen without a slot that verifies. */
async function makeMark(stateDir: string, keyring: Macs, state: MarkState): Promise<void> {
  const path = pathOf(stateDir)
  const made = `${path}.new`
  const file = await open(made, 'w', 0o600)
  try {
    await file.writeFile(Buffer.concat([writeSlot(state, keyring), Buffer.alloc(slotBytes, lineFeed)]))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(made, path)
  const folder = await open(stateDir)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A write has returned once it is on disk: one call where a write and a flush would be two, for each commit. */
const forDurableWrites = constants.O_RDWR | constants.O_DSYNC

/** The file while the daemon runs. */
export class MarkFile {
  readonly #file: FileHandle
  readonly #keyring: Macs
  /** To be written next. A slot whose write failed is written again. */
  #slot: number

  private constructor(file: FileHandle, keyring: Macs, slot: number) {
    this.#file = file
    this.#keyring = keyring
    this.#slot = slot
  }

  /** Opens the file, which says `state` then. @param slot to write it to; undefined: the file is made for it */
  static async open(stateDir: string, keyring: Macs, state: MarkState, slot: number | undefined): Promise<MarkFile> {
    if (slot === undefined) await makeMark(stateDir, keyring, state)
    const opened = new MarkFile(await open(pathOf(stateDir), forDurableWrites), keyring, slot ?? 1)
    if (slot === undefined) return opened
    try {
      await opened.write(state)
      return opened
    } catch (error) {
      await opened.close()
      throw error
    }
  }

  /** Resolves when it is on disk. Never two at once. */
  async write(state: MarkState): Promise<void> {
    const slot = writeSlot(state, this.#keyring)
    const { bytesWritten } = await this.#file.write(slot, 0, slot.length, this.#slot * slotBytes)
    if (bytesWritten !== slot.length) throw new Error('the mark was written in part only')
    this.#slot = 1 - this.#slot
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
