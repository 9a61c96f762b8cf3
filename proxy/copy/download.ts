import { BrokerError } from '../session.ts'
import { isBelow } from '../wire/copy/names.ts'
import { type ProgramEvent, program } from '../wire/copy/program.ts'
import { below, forProgram, withoutSlashes } from './paths.ts'
import { unexpected } from './remote.ts'
import type { Transfer } from './transfer.ts'
import { becameShorter, folderText, obstacleText, unreadableName } from './words.ts'

type FileEvent = Extract<ProgramEvent, { type: 'file' }>

/** Copies from the instance what its program sends, until that is all. */
export async function download(transfer: Transfer): Promise<void> {
  const { client, remote, ask } = transfer.parts
  const base = withoutSlashes(ask.path)
  client.tell({ ready: { path: base } })
  await transfer.send(program.tree(forProgram(base), ask.recursive))
  for (;;) {
    const event = await remote.next()
    transfer.check()
    switch (event.type) {
      case 'folder': {
        const name = nameOf(transfer, event.name)
        if (name === undefined) break
        transfer.folder(below(base, name))
        client.tell({ folder: { name, mode: event.mode } })
        break
      }
      case 'file':
        await takeFile(transfer, base, event)
        break
      case 'skip': {
        const name = nameOf(transfer, event.name)
        if (name !== undefined)
          skip(transfer, base, name, obstacleText[event.why], event.why === 'denied' || name === '')
        break
      }
      case 'no':
        skip(transfer, base, '', event.why === 'folder' ? folderText : obstacleText[event.why], true)
        break
      case 'end':
        client.tell({ end: true })
        return
      default:
        throw unexpected()
    }
  }
}

async function takeFile(transfer: Transfer, base: string, { mode, size, name: given }: FileEvent): Promise<void> {
  const { client, remote } = transfer.parts
  const name = nameOf(transfer, given)
  const file = name === undefined ? undefined : await transfer.announce(below(base, name), size)
  if (name !== undefined) client.tell({ file: { name, mode, size } })
  for (;;) {
    const event = await remote.next()
    if (event.type === 'file-end') break
    if (event.type !== 'bytes') throw unexpected()
    if (!file) continue
    if (file.size + event.bytes.length > size)
      throw new BrokerError('TARGET_LOST', 'the program that copies sends more of a file than it has announced')
    transfer.pass(file, event.bytes)
    await client.send(event.bytes)
  }
  if (!file || name === undefined) return
  const failure = file.size < size ? becameShorter : undefined
  const { sha256 } = await transfer.close(file, failure)
  client.tell(failure === undefined ? { done: { name, size, sha256 } } : { failed: { name, why: failure } })
}

/** @returns undefined: it is none, which is said @throws BrokerError TARGET_UNTRUSTED: it leads elsewhere */
function nameOf(transfer: Transfer, name: string | undefined): string | undefined {
  if (name === undefined) {
    skip(transfer, withoutSlashes(transfer.parts.ask.path), '', unreadableName, true)
    return undefined
  }
  if (!isBelow(name) || (name !== '' && !transfer.parts.ask.recursive))
    throw new BrokerError('TARGET_UNTRUSTED', 'the instance names files outside of what is copied')
  return name
}

/** @param isFailure it should have been copied */
function skip(transfer: Transfer, base: string, name: string, why: string, isFailure = false): void {
  transfer.skipped(below(base, name), why)
  transfer.parts.client.tell(isFailure ? { failed: { name, why } } : { skipped: { name, why } })
}
