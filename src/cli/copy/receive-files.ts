import { createHash, type Hash, randomBytes } from 'node:crypto'
import { type FileHandle, lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { CopySocket } from '../../../proxy/local/copy-socket.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { remoteName } from './places.ts'
import { type CopyReport, pathBelow } from './report.ts'

/**
 * Where it goes, as of `cp`: into a folder that is there, else to that very name.
 * @throws BrokerError INVALID_INPUT: there is no such folder
 */
export async function findDestination(local: string, from: string): Promise<string> {
  const found = await stat(local).catch(() => undefined)
  if (found?.isDirectory()) return path.join(local, remoteName(from))
  if (local.endsWith('/') || local.endsWith(path.sep))
    throw new BrokerError('INVALID_INPUT', `there is no folder ${local}`)
  return path.resolve(local)
}

/**
 * Takes what the broker sends. A file has another name until it is whole, and the SHA-256 that is on record; nothing is written outside of
 * `root`, whatever names come and whatever links lie there.
 */
export async function receiveFiles(socket: CopySocket, root: string, report: CopyReport): Promise<void> {
  const receiver = new Receiver(socket, root, report)
  try {
    await receiver.run()
  } finally {
    await receiver.clear()
  }
}

/** A file that is under way. */
interface Partial {
  readonly name: string
  readonly mode: number
  readonly temporary: string
  readonly handle: FileHandle
  readonly hash: Hash
}

class Receiver {
  readonly #socket: CopySocket
  readonly #root: string
  readonly #report: CopyReport
  /** Names of folders that are no links, into which files may come. */
  readonly #folders = new Set<string>()
  #remote = ''
  #partial: Partial | undefined
  /** Why the file that comes is not written. */
  #refusal: string | undefined

  constructor(socket: CopySocket, root: string, report: CopyReport) {
    this.#socket = socket
    this.#root = root
    this.#report = report
  }

  async run(): Promise<void> {
    for (;;) {
      const event = await this.#socket.next()
      if ('end' in event) return
      if ('bytes' in event) await this.#write(event.bytes)
      else if ('ready' in event) this.#remote = event.ready.path
      else if ('folder' in event) await this.#makeFolder(event.folder.name, event.folder.mode)
      else if ('file' in event) await this.#begin(event.file)
      else if ('done' in event) await this.#finish(event.done)
      else if ('failed' in event) await this.#fail(event.failed.name, event.failed.why)
      else this.#report.skipped.push({ path: pathBelow(this.#remote, event.skipped.name), why: event.skipped.why })
    }
  }

  /** Of a file that is not whole nothing stays. */
  async clear(): Promise<void> {
    const partial = this.#partial
    this.#partial = undefined
    if (!partial) return
    await partial.handle.close().catch(() => {})
    await rm(partial.temporary, { force: true })
  }

  /** @throws BrokerError TARGET_UNTRUSTED: it would lead elsewhere */
  #pathOf(name: string): string {
    const parent = path.posix.dirname(name)
    const isInside = name === '' || this.#folders.has(parent === '.' ? '' : parent)
    if (!isInside || (path.sep !== '/' && /[\\:]/.test(name)))
      throw new BrokerError('TARGET_UNTRUSTED', 'the instance names files outside of what is copied')
    return path.join(this.#root, name)
  }

  /** One that is there is used; a link in its place is not, save where the person named it. */
  async #makeFolder(name: string, mode: number): Promise<void> {
    const at = this.#pathOf(name)
    await mkdir(at, { mode: mode | 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
      const found = await (name === '' ? stat(at) : lstat(at)).catch(() => undefined)
      if (!found?.isDirectory()) throw error
    })
    this.#folders.add(name)
  }

  async #begin({ name, mode, size }: { name: string; mode: number; size: number }): Promise<void> {
    await this.clear()
    const at = this.#pathOf(name)
    this.#report.progress.begin(name || path.basename(at), size)
    const found = await lstat(at).catch(() => undefined)
    this.#refusal = found?.isDirectory() ? 'there is a folder of that name here' : undefined
    if (this.#refusal !== undefined) return
    const temporary = path.join(path.dirname(at), `.sallyport-${randomBytes(8).toString('hex')}`)
    const handle = await open(temporary, 'wx', 0o600)
    this.#partial = { name, mode, temporary, handle, hash: createHash('sha256') }
  }

  async #write(bytes: Buffer): Promise<void> {
    const partial = this.#partial
    if (partial) {
      partial.hash.update(bytes)
      for (let at = 0; at < bytes.length; ) at += (await partial.handle.write(bytes, at)).bytesWritten
    }
    this.#report.progress.add(bytes.length)
    this.#socket.took(bytes.length)
  }

  async #finish({ name, size, sha256 }: { name: string; size: number; sha256: string }): Promise<void> {
    const partial = this.#partial
    if (!partial || partial.name !== name) return await this.#fail(name, this.#refusal ?? 'it was not sent')
    const { handle, hash, temporary, mode } = partial
    if (hash.digest('hex') !== sha256)
      throw new BrokerError('INTERNAL', `${name} is not what the broker has on record; it was removed`)
    if (path.sep === '/') await handle.chmod(mode)
    await handle.close()
    await rename(temporary, path.join(this.#root, name))
    this.#partial = undefined
    this.#report.files.push({ path: pathBelow(this.#remote, name), size, sha256 })
  }

  async #fail(name: string, why: string): Promise<void> {
    if (this.#partial?.name === name) await this.clear()
    this.#report.failed.push({ path: pathBelow(this.#remote, name), why })
  }
}
