export const shells = ['bash', 'fish', 'powershell'] as const
export type Shell = (typeof shells)[number]

/** Characters without a special meaning in any shell. */
const plain = /^[\w@%+=:,./-]+$/

/** In single quotes of that shell, which then reads the text literally. */
export function singleQuoted(text: string, shell: Shell = 'bash'): string {
  switch (shell) {
    case 'bash':
      return `'${text.replaceAll("'", "'\\''")}'`
    case 'fish':
      return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
    case 'powershell':
      return `'${text.replaceAll("'", "''")}'`
  }
}

/** One word of a POSIX shell, in quotes where it needs them. */
export function shellWord(text: string): string {
  return plain.test(text) ? text : singleQuoted(text)
}

/** As a POSIX shell, Python's shlex and cmd.exe all read it: which of them runs a `credential_process` differs by SDK. */
export function doubleQuotedWord(text: string): string {
  return plain.test(text) ? text : `"${text.replaceAll(/(["\\$`])/g, '\\$1')}"`
}
