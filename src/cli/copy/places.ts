import path from 'node:path'
import { BrokerError } from '../../../proxy/session.ts'

/** What a copy goes from or to: a path of this machine, or one of an instance. */
export type Place = { readonly local: string } | { readonly resource: string; readonly path: string }

/** A full id, or a name without slashes, before the first colon. */
const remote = /^((?:[a-z0-9-]+\/[^/:]+\/[^/:]+\/)?[^/:]+):(.*)$/s

/** @returns `RESOURCE:PATH`, where `~` is the home of the user there, or a path of this machine */
export function readPlace(text: string): Place {
  const [, resource, at = ''] = remote.exec(text) ?? []
  if (resource === undefined || isDrive(resource)) return { local: text }
  return { resource, path: at.replace(/^~(?:\/|$)/, '') || '.' }
}

function isDrive(name: string): boolean {
  return process.platform === 'win32' && /^[A-Za-z]$/.test(name)
}

/** Last part of a path at an instance. @throws BrokerError INVALID_INPUT: it has none */
export function remoteName(at: string): string {
  const name = path.posix.basename(at)
  if (!['', '.', '..', '/'].includes(name)) return name
  throw new BrokerError('INVALID_INPUT', `what is to be copied from "${at}" has no name of its own`, {
    hint: 'name a folder to make here, e.g. RESOURCE:. ./files',
  })
}
