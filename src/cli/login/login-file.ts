import { chmod, mkdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { BrokerError } from '../../../proxy/session.ts'

/** A server that this user has signed in to. */
export interface KeptLogin {
  /** Bearer. */
  readonly token: string
  /** Whose login it is, for messages. */
  readonly name: string
  /** Absolute path of a PEM file with roots to trust besides Node's, or null. */
  readonly ca: string | null
}

/** `login.json`. Keys of `servers` are origins. */
export interface LoginFile {
  readonly version: 1
  /** Origin of the server used when none is named. */
  readonly current: string | null
  readonly servers: Readonly<Record<string, KeptLogin>>
}

const empty: LoginFile = { version: 1, current: null, servers: {} }

/** `SALLYPORT_HOME`, else the folder where this system keeps configuration. */
export function loginFilePath(env: NodeJS.ProcessEnv): string {
  const home = env.SALLYPORT_HOME ? resolve(env.SALLYPORT_HOME) : envPaths('sallyport', { suffix: '' }).config
  return join(home, 'login.json')
}

/** @throws BrokerError CONFIG_INVALID when other users may read it, or it is damaged */
export async function readLoginFile(path: string): Promise<LoginFile> {
  const text = await readIfThere(path)
  if (text === undefined) return empty
  if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
    throw new BrokerError('CONFIG_INVALID', `${path} is readable by other users`, {
      hint: `run: chmod 600 '${path}'; if another user may have read it, run: sallyport logout`,
    })
  return parse(text.toString(), path)
}

/** Replaces the file in one step, so that a reader never sees half of it. Folder 0700, file 0600. */
export async function writeLoginFile(path: string, content: LoginFile): Promise<void> {
  const folder = dirname(path)
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (made !== undefined) await chmod(folder, 0o700)
  await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`, 0o600)
}

function parse(text: string, path: string): LoginFile {
  try {
    const read: unknown = JSON.parse(text)
    if (isLoginFile(read)) return read
  } catch {
    // not JSON: reported below like any other damage
  }
  throw new BrokerError('CONFIG_INVALID', `${path} is damaged`, { hint: 'delete it and run: sallyport login' })
}

function isLoginFile(read: unknown): read is LoginFile {
  if (typeof read !== 'object' || read === null || !('version' in read) || read.version !== 1) return false
  if (!('current' in read) || !('servers' in read) || typeof read.servers !== 'object' || read.servers === null)
    return false
  return Object.values(read.servers as Record<string, Partial<KeptLogin> | null>).every(
    (login) => typeof login?.token === 'string' && typeof login.name === 'string',
  )
}
