/** The password file of libpq and pgjdbc (PostgreSQL documentation, "The Password File"). */
import { rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { linkTarget, readIfThere, replaceFile } from '../replace-file.ts'

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
 * The file is replaced as a whole, with mode 0600; a symbolic link stays one. When two programs write at
 * the same time, the lines of one may be lost, never a part of a line.
 * @returns removes exactly these lines again, and the file if it is then empty
 */
export async function addToPgpass(path: string, entries: readonly PgpassEntry[]): Promise<() => Promise<void>> {
  const ours = entries.map(pgpassLine)
  const prefixes = entries.map((entry) => pgpassLine({ ...entry, password: '' }))
  const others = (await readLines(path)).filter((line) => !prefixes.some((prefix) => line.startsWith(prefix)))
  await replace(path, [...ours, ...others])
  return async () => {
    const rest = (await readLines(path)).filter((line) => !ours.includes(line))
    if (rest.length > 0) await replace(path, rest)
    else await rm(await linkTarget(path), { force: true })
  }
}

async function readLines(path: string): Promise<string[]> {
  const text = (await readIfThere(path)) ?? ''
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

async function replace(path: string, lines: readonly string[]): Promise<void> {
  await replaceFile(await linkTarget(path), `${lines.join('\n')}\n`, 0o600)
}
