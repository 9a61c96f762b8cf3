const slots = 64
const longestKept = 32
const known: (string | undefined)[] = Array<undefined>(slots).fill(undefined)

/**
 * The tag of a CommandComplete that is whole in its chunk. Layout: cstring tag.
 * @returns undefined for one that is not short ASCII; servers send the same few again and again, so they are decoded once
 */
export function readTag(bytes: Buffer, start: number, end: number): string | undefined {
  const length = end - start - 1
  if (length < 1 || length > longestKept || bytes[start + length] !== 0) return undefined
  const slot = (length * 7 + (bytes[start] as number) * 3 + (bytes[start + length - 1] as number)) % slots
  const tag = known[slot]
  if (tag !== undefined && isAt(tag, bytes, start, length)) return tag
  for (let i = start; i < start + length; i += 1) if (isUnusual(bytes[i] as number)) return undefined
  known[slot] = bytes.toString('latin1', start, start + length)
  return known[slot]
}

function isAt(tag: string, bytes: Buffer, start: number, length: number): boolean {
  if (tag.length !== length) return false
  for (let i = 0; i < length; i += 1) if (tag.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

/** A control character, or beyond ASCII. */
function isUnusual(byte: number): boolean {
  return byte < 32 || byte > 126
}
