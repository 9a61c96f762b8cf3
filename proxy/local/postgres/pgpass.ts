/** The password file of libpq and pgjdbc (PostgreSQL documentation, "The Password File"). */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { asByteText, bare, fromByteText, splitLines, toByteText } from '../file-lines.ts'
import { readIfThere, removeFile, replaceFile } from '../replace-file.ts'

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
 * Puts the entries first (libpq takes the first line that fits), instead of earlier lines for the same port and user; other
 * lines stay as they are, byte for byte. The file is replaced as a whole, with mode 0600. When two programs write at the same
 * time, the lines of one may be lost, never a part of a line.
 * @returns removes exactly these lines again, and the file if it is then empty
 * @throws BrokerError CONFIG_INVALID when it is no regular file
 */
export async function addToPgpass(path: string, entries: readonly PgpassEntry[]): Promise<() => Promise<void>> {
  const ours = entries.map((entry) => asByteText(pgpassLine(entry)))
  const prefixes = entries.map((entry) => asByteText(pgpassLine({ ...entry, password: '' })))
  const others = (await readLines(path)).filter((line) => !prefixes.some((prefix) => bare(line).startsWith(prefix)))
  await replace(path, [...ours.map((line) => `${line}\n`), ...others])
  return async () => {
    const rest = (await readLines(path)).filter((line) => !ours.includes(bare(line)))
    if (rest.length > 0) await replace(path, rest)
    else await removeFile(path)
  }
}

async function readLines(path: string): Promise<string[]> {
  return splitLines(toByteText((await readIfThere(path)) ?? Buffer.alloc(0)))
}

async function replace(path: string, lines: readonly string[]): Promise<void> {
  await replaceFile(path, fromByteText(lines.join('')), 0o600)
}
