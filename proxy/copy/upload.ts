import { Queue } from '../recording/queue.ts'
import { BrokerError } from '../session.ts'
import type { CopiedFile, CopiedFolder } from '../wire/copy/messages.ts'
import { program } from '../wire/copy/program.ts'
import { below, forProgram, withoutSlashes } from './paths.ts'
import { unexpected } from './remote.ts'
import type { OpenFile, Transfer } from './transfer.ts'
import { kindText, obstacleText } from './words.ts'

/** Told to the program, and not answered by it yet. */
interface Pending {
  readonly name: string
  readonly path: string
  /** Undefined: it is a folder. */
  readonly file?: OpenFile
  /** Of the file, bytes. */
  readonly size?: number
}

const mostPending = 64

/** Copies to the instance what the client sends, until that is all and its program has confirmed it. */
export async function upload(transfer: Transfer): Promise<void> {
  const { client } = transfer.parts
  const base = await destination(transfer)
  if (base !== undefined) {
    client.tell({ ready: { path: base } })
    await new Upload(transfer, base).run()
  }
  client.tell({ end: true })
}

/** As of `cp`: into a folder that is there, else to that very name. @returns undefined: it is neither, which is said */
async function destination(transfer: Transfer): Promise<string | undefined> {
  const { client, remote, ask } = transfer.parts
  if (ask.name === '') throw new BrokerError('PROTOCOL_ERROR', 'what is copied has no name')
  const path = withoutSlashes(ask.path)
  await transfer.send(program.look(forProgram(path)))
  const event = await remote.next()
  if (event.type !== 'is') throw unexpected()
  if (event.kind === 'folder') return below(path, ask.name)
  if (event.kind !== 'special' && path === ask.path) return path
  const why = `it is ${kindText[event.kind]}`
  transfer.skipped(path, why)
  client.tell({ ready: { path } })
  client.tell({ failed: { name: '', why } })
  return undefined
}

class Upload {
  readonly #transfer: Transfer
  readonly #base: string
  readonly #pending = new Queue<Pending>()
  readonly #confirmed = Promise.withResolvers<void>()
  #isSent = false
  #room = Promise.withResolvers<void>()

  constructor(transfer: Transfer, base: string) {
    this.#transfer = transfer
    this.#base = base
  }

  async run(): Promise<void> {
    const replies = this.#takeReplies()
    const files = this.#takeFiles()
    for (const one of [replies, files]) one.catch(() => {}) // the first one counts
    await Promise.race([replies, Promise.all([files, this.#confirmed.promise])])
  }

  async #takeFiles(): Promise<void> {
    const { client } = this.#transfer.parts
    for (;;) {
      const message = await client.next()
      this.#transfer.check()
      if (message.type === 'end') break
      else if (message.type === 'folder') await this.#sendFolder(message.folder)
      else if (message.type === 'file') await this.#sendFile(message.file)
      else throw new BrokerError('PROTOCOL_ERROR', 'bytes of no file')
    }
    this.#isSent = true
    if (this.#pending.size === 0) this.#confirmed.resolve()
  }

  async #sendFolder({ name, mode }: CopiedFolder): Promise<void> {
    const path = this.#pathOf(name, true)
    await this.#await({ name, path })
    // Else nothing could be put into it.
    await this.#transfer.send(program.folder(mode | 0o700, forProgram(path)))
  }

  async #sendFile({ name, mode, size }: CopiedFile): Promise<void> {
    const path = this.#pathOf(name, false)
    const file = await this.#transfer.announce(path, size)
    await this.#await({ name, path, file, size })
    await this.#transfer.send(program.file(mode, size, forProgram(path)))
    while (file.size < size) {
      const message = await this.#transfer.parts.client.next()
      if (message.type !== 'bytes' || file.size + message.bytes.length > size)
        throw new BrokerError('PROTOCOL_ERROR', 'other bytes of a file than were announced')
      this.#transfer.pass(file, message.bytes)
      await this.#transfer.send(message.bytes)
    }
  }

  /** @throws BrokerError PROTOCOL_ERROR: it may not be copied */
  #pathOf(name: string, isFolder: boolean): string {
    const path = below(this.#base, name)
    this.#transfer.check(path)
    if (!this.#transfer.parts.ask.recursive && (isFolder || name !== ''))
      throw new BrokerError('PROTOCOL_ERROR', 'more than the one file that was asked for')
    return path
  }

  /** The program answers one line after the other. */
  async #await(pending: Pending): Promise<void> {
    this.#pending.push(pending)
    while (this.#pending.size >= mostPending) {
      this.#room = Promise.withResolvers()
      await this.#room.promise
    }
  }

  async #takeReplies(): Promise<never> {
    for (;;) {
      const event = await this.#transfer.parts.remote.next()
      this.#transfer.check()
      const pending = this.#pending.shift()
      if (!pending || (event.type !== 'ok' && event.type !== 'no')) throw unexpected()
      if (pending.file && pending.file.size !== pending.size) throw unexpected() // it has not got all of it
      await this.#over(pending, event.type === 'no' ? reason(event.why) : undefined)
      this.#room.resolve()
      if (this.#isSent && this.#pending.size === 0) this.#confirmed.resolve()
    }
  }

  async #over({ name, path, file }: Pending, failure: string | undefined): Promise<void> {
    const { client } = this.#transfer.parts
    if (!file) this.#transfer.folder(path, failure)
    const forwarded = file && (await this.#transfer.close(file, failure))
    if (failure !== undefined) client.tell({ failed: { name, why: failure } })
    else if (forwarded) client.tell({ done: { name, size: forwarded.size, sha256: forwarded.sha256 } })
  }
}

function reason(why: keyof typeof obstacleText): string {
  return why === 'missing' ? 'the folder that it belongs into is not there' : obstacleText[why]
}
