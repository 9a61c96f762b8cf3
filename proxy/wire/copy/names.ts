/** Names of files as both ends of a copy have them: UTF-8, with slashes between their parts. */

/** PATH_MAX of Linux, bytes. */
export const longestName = 4096

/** Whether it can name a file at all. */
export function isPath(text: string): boolean {
  return text !== '' && !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= longestName
}

/** Whether it leads to something below a folder, and nowhere else. Empty: what is copied itself. */
export function isBelow(name: string): boolean {
  return name === '' || (isPath(name) && name.split('/').every((part) => !['', '.', '..'].includes(part)))
}

/** A name in a line of text: as it is where it has no other characters than those of usual names, else in base64. */
export function encodeName(name: string): string {
  return /^[A-Za-z0-9._/-]*$/.test(name) ? `p${name}` : `b${Buffer.from(name).toString('base64')}`
}

/** @returns undefined: it is none, or no UTF-8 */
export function decodeName(token: string): string | undefined {
  if (token.startsWith('p')) return token.slice(1)
  const [, base64] = /^b([A-Za-z0-9+/]+={0,2})$/.exec(token) ?? []
  if (base64 === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}
