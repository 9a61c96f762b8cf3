/** Bytes from hexadecimal text (white space is for the reader's eyes) and other bytes, in a row. */
export function hex(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part.replaceAll(/\s/g, ''), 'hex') : part)),
  )
}
