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

/** They have a meaning of their own where a command begins. */
const reserved = /^(case|do|done|elif|else|esac|fi|for|if|in|then|until|while)$/

/** A command that a POSIX shell runs with exactly these words, the first of which names the program. */
export function commandLine([program = '', ...words]: readonly string[]): string {
  const isPlain = !program.includes('=') && !reserved.test(program)
  return [isPlain ? shellWord(program) : singleQuoted(program), ...words.map(shellWord)].join(' ')
}

/** As a POSIX shell, Python's shlex and cmd.exe all read it: which of them runs a `credential_process` differs by SDK. */
export function doubleQuotedWord(text: string): string {
  return plain.test(text) ? text : `"${text.replaceAll(/(["\\$`])/g, '\\$1')}"`
}
