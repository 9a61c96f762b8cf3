import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { BrokerError } from '../../proxy/session.ts'

/** One server somebody signed in to. */
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

/** @throws BrokerError CONFIG_INVALID when others may read it, or it isn't ours */
export async function readLoginFile(path: string): Promise<LoginFile> {
  const text = await readIfThere(path)
  if (text === undefined) return empty
  if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
    throw new BrokerError('CONFIG_INVALID', `others may read ${path}`, {
      hint: `run: chmod 600 '${path}', and sallyport logout if somebody did`,
    })
  return parse(text, path)
}

/** Replaces the file in one step, so that a reader never sees half of it. Folder 0700, file 0600. */
export async function writeLoginFile(path: string, content: LoginFile): Promise<void> {
  const folder = dirname(path)
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (made !== undefined) await chmod(folder, 0o700)
  const { randomBytes } = await import('node:crypto') // readers of the file, which are many, do without
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(content, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parse(text: string, path: string): LoginFile {
  try {
    const read: unknown = JSON.parse(text)
    if (isLoginFile(read)) return read
  } catch {
    // not JSON: said below like any other damage
  }
  throw new BrokerError('CONFIG_INVALID', `${path} is damaged`, { hint: 'remove it, and run: sallyport login' })
}

function isLoginFile(read: unknown): read is LoginFile {
  if (typeof read !== 'object' || read === null || !('version' in read) || read.version !== 1) return false
  if (!('current' in read) || !('servers' in read) || typeof read.servers !== 'object' || read.servers === null)
    return false
  return Object.values(read.servers as Record<string, Partial<KeptLogin> | null>).every(
    (login) => typeof login?.token === 'string' && typeof login.name === 'string',
  )
}
