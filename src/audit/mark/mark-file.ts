/**
 * The file `mark` in `state.dir`: two slots of one page each, written in turn, so that a torn write leaves the other. A slot is
 * `MAC JSON`, filled up with line feeds. The file is made whole and never grows, so that a full disk stops no write.
 */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Keyring } from '../../store/keyring.ts'
import { type CanonicalValue, canonicalJson } from '../canonical.ts'

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
  | { readonly kind: 'read'; readonly state: MarkState }

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
  const found = [0, 1].flatMap((slot) => readSlot(content.subarray(slot * slotBytes, (slot + 1) * slotBytes), keyring))
  const newest = found.sort((a, b) => b.count - a.count)[0]
  return newest ? { kind: 'read', state: newest } : { kind: 'unreadable' }
}

function readSlot(slot: Buffer, keyring: Macs): MarkState[] {
  const line = slot.toString('utf8').trimEnd()
  const space = line.indexOf(' ')
  const json = line.slice(space + 1)
  if (space < 0 || !keyring.checkMac(purpose, json, line.slice(0, space))) return []
  const state = JSON.parse(json) as MarkState
  return state.v === 1 ? [state] : []
}

function writeSlot(state: MarkState, keyring: Macs): Buffer {
  const json = canonicalJson(state as unknown as CanonicalValue)
  const line = Buffer.from(`${keyring.mac(purpose, json)} ${json}\n`)
  if (line.length > slotBytes) throw new Error('the mark does not fit into its slot')
  return Buffer.concat([line, Buffer.alloc(slotBytes - line.length, lineFeed)])
}

/** Makes the file, or replaces it as a whole: it is never seen without a slot that verifies. */
export async function makeMark(stateDir: string, keyring: Macs, state: MarkState): Promise<void> {
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

/** The file while the daemon runs. */
export class MarkFile {
  readonly #file: FileHandle
  readonly #keyring: Macs
  /** The first one was written when the file was made. A slot whose write failed is written again. */
  #slot = 1

  private constructor(file: FileHandle, keyring: Macs) {
    this.#file = file
    this.#keyring = keyring
  }

  static async open(stateDir: string, keyring: Macs): Promise<MarkFile> {
    return new MarkFile(await open(pathOf(stateDir), 'r+'), keyring)
  }

  /** Resolves when it is on disk. Never two at once. */
  async write(state: MarkState): Promise<void> {
    const slot = writeSlot(state, this.#keyring)
    const { bytesWritten } = await this.#file.write(slot, 0, slot.length, this.#slot * slotBytes)
    if (bytesWritten !== slot.length) throw new Error('the mark was written in part only')
    await this.#file.datasync()
    this.#slot = 1 - this.#slot
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
