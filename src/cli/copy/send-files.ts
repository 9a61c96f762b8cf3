import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { CopySocket } from '../../../proxy/local/copy-socket.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { type CopyReport, pathBelow } from './report.ts'

const chunkBytes = 64 * 1024
const permissions = 0o777
/** A pipe must not hold us up, and a link lead elsewhere; the latter is unknown on Windows. */
const careful = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)

export interface Source {
  readonly at: string
  readonly name: string
  readonly stats: Stats
}

/** @throws BrokerError INVALID_INPUT: it is a folder, or neither; Error of the file system */
export async function findSource(local: string, recursive: boolean): Promise<Source> {
  const at = path.resolve(local)
  const stats = await stat(at)
  if (!stats.isFile() && !stats.isDirectory()) throw new BrokerError('INVALID_INPUT', `${local} is no regular file`)
  if (stats.isDirectory() && !recursive)
    throw new BrokerError('INVALID_INPUT', `${local} is a folder`, { hint: 'use -r' })
  return { at, name: path.basename(at), stats }
}

/** Sends it, and takes what the broker says of it, until that has confirmed all. */
export async function sendFiles(socket: CopySocket, source: Source, report: CopyReport): Promise<void> {
  const first = await socket.next()
  if (!('ready' in first)) throw new BrokerError('INTERNAL', 'the broker did not say where the files go')
  const sender = new Sender(socket, first.ready.path, report)
  const confirmed = sender.confirm()
  confirmed.catch(() => {}) // the first one counts
  await Promise.race([sender.send(source).then(() => confirmed), confirmed])
}

class Sender {
  readonly #socket: CopySocket
  readonly #root: string
  readonly #report: CopyReport
  /** By name, SHA-256 of what was sent. */
  readonly #sent = new Map<string, string>()

  constructor(socket: CopySocket, root: string, report: CopyReport) {
    this.#socket = socket
    this.#root = root
    this.#report = report
  }

  async send({ at, stats }: Source): Promise<void> {
    if (stats.isDirectory()) await this.#sendFolder(at, '', stats.mode)
    else await this.#sendFile(at, '')
    this.#socket.tell({ end: true })
  }

  async confirm(): Promise<void> {
    for (;;) {
      const event = await this.#socket.next()
      if ('end' in event) return
      if ('failed' in event) this.#fail(event.failed.name, event.failed.why)
      else if ('done' in event) {
        const { name, size, sha256 } = event.done
        if (this.#sent.get(name) !== sha256) throw new BrokerError('INTERNAL', `the broker got other bytes of ${name}`)
        this.#sent.delete(name)
        this.#report.files.push({ path: pathBelow(this.#root, name), size, sha256 })
      }
    }
  }

  async #sendFolder(at: string, name: string, mode: number): Promise<void> {
    this.#socket.tell({ folder: { name, mode: mode & permissions } })
    const entries = await readdir(at, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = path.join(at, entry.name)
      const insideName = name === '' ? entry.name : `${name}/${entry.name}`
      if (entry.isDirectory()) await this.#sendFolder(inside, insideName, (await stat(inside)).mode)
      else if (entry.isFile()) await this.#sendFile(inside, insideName)
      else this.#skip(insideName, entry.isSymbolicLink() ? 'links are not copied' : 'it is no regular file')
    }
  }

  /** The broker is told of its size first, so that one which became shorter meanwhile ends all. */
  async #sendFile(at: string, name: string): Promise<void> {
    const handle = await open(at, name === '' ? 'r' : careful).catch((error: NodeJS.ErrnoException) => {
      this.#fail(name, error.code === 'EACCES' ? 'permission denied' : error.message)
      return undefined
    })
    if (!handle) return
    try {
      const { size, mode } = await handle.stat()
      this.#socket.tell({ file: { name, mode: mode & permissions, size } })
      this.#report.progress.begin(name || path.basename(at), size)
      const hash = createHash('sha256')
      for (let left = size; left > 0; ) {
        const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(Math.min(left, chunkBytes)) })
        if (bytesRead === 0) throw new Error(`${at} became shorter while it was read`)
        const bytes = buffer.subarray(0, bytesRead)
        hash.update(bytes)
        left -= bytesRead
        if (left === 0) this.#sent.set(name, hash.copy().digest('hex')) // before it may be confirmed
        await this.#socket.send(bytes)
        this.#report.progress.add(bytesRead)
      }
      if (size === 0) this.#sent.set(name, hash.digest('hex'))
    } finally {
      await handle.close()
    }
  }

  #fail(name: string, why: string): void {
    this.#report.failed.push({ path: pathBelow(this.#root, name), why })
  }

  #skip(name: string, why: string): void {
    this.#report.skipped.push({ path: pathBelow(this.#root, name), why })
  }
}
