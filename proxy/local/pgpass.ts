/** The password file of libpq and pgjdbc (PostgreSQL documentation, "The Password File"). */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

export interface PgpassEntry {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

/** Any database of the port. Colon and backslash are escaped: libpq would cut the password at the first bare colon. */
export function pgpassLine(entry: PgpassEntry): string {
  return [entry.host, String(entry.port), '*', entry.user, entry.password]
    .map((field, i) => (i === 2 ? field : escapeField(field)))
    .join(':')
}

function escapeField(field: string): string {
  if (/[\r\n\0]/.test(field)) throw new TypeError('a password file cannot hold a line break')
  return field.replace(/[\\:]/g, '\\$&')
}

/** `PGPASSFILE`, else where libpq looks. */
export function pgpassPath(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string {
  if (env.PGPASSFILE) return env.PGPASSFILE
  if (platform === 'win32') return join(env.APPDATA ?? homedir(), 'postgresql', 'pgpass.conf')
  return join(env.HOME ?? homedir(), '.pgpass')
}

/**
 * Puts the entries first (libpq takes the first line that fits), instead of earlier lines for the same port and user.
 * The file is replaced as a whole, with mode 0600; a symbolic link stays one. Two programs that write at the same
 * instant may lose one's lines, never a part of a line.
 * @returns takes exactly these lines out again, and the file with them if nothing else is left
 */
export async function addToPgpass(path: string, entries: readonly PgpassEntry[]): Promise<() => Promise<void>> {
  const ours = entries.map(pgpassLine)
  const prefixes = entries.map((entry) => pgpassLine({ ...entry, password: '' }))
  const others = (await readLines(path)).filter((line) => !prefixes.some((prefix) => line.startsWith(prefix)))
  await replace(path, [...ours, ...others])
  return async () => {
    const rest = (await readLines(path)).filter((line) => !ours.includes(line))
    if (rest.length > 0) await replace(path, rest)
    else await rm(await resolve(path), { force: true })
  }
}

async function readLines(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(ifMissing(''))
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

async function replace(path: string, lines: readonly string[]): Promise<void> {
  const target = await resolve(path)
  const draft = `${target}.${randomUUID()}`
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  await writeFile(draft, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx' })
  await chmod(draft, 0o600)
  await rename(draft, target)
}

function resolve(path: string): Promise<string> {
  return realpath(path).catch(ifMissing(path))
}

/** @returns for `catch`: the fallback when the file is not there; anything else goes on */
function ifMissing<T>(fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return fallback
    throw error
  }
}
