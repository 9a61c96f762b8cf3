/** Escapes control, format and separator characters, so that another person's text can't control the reader's terminal. */
export function printable(text: string): string {
  return text.replace(unprintable, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`)
}

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
