/**
 * Lines of a file that others write too. Its bytes are kept as Latin-1 text, one character each, so that whatever their encoding
 * and line ends, those of others stay as they were. Lines have their ends; {@link bare} is a line without.
 */
export function toByteText(bytes: Buffer): string {
  return bytes.toString('latin1')
}

export function fromByteText(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Text of our own among the bytes of a file, in UTF-8. */
export function asByteText(text: string): string {
  return toByteText(Buffer.from(text))
}

export function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** Without its end, blanks before it, and a byte order mark: for comparing. */
export function bare(line: string): string {
  return line.replace(/^\u00ef\u00bb\u00bf/, '').trimEnd()
}
