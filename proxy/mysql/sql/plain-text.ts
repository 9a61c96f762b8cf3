/** What a byte means for {@link isPlain}. */
const refused = 0
const harmless = 1
const suspicious = 2

const classes = new Uint8Array(256).fill(harmless, 0x20, 0x7f)
for (const letter of '"\\') classes[letter.charCodeAt(0)] = refused
for (const letter of 'wWfFhHxX:_') classes[letter.charCodeAt(0)] = suspicious

const [a, d, e, i, p, s, u, f, h, w, x] = Array.from('adeipsufhwx', (letter) => letter.charCodeAt(0))
const [slash, zero, quote] = [0x2f, 0x30, 0x27] as const

/**
 * Whether a text is printable ASCII without `"` and `\` and holds none of the letters in a row that all of what may hold a secret
 * has: *passw* and *pwd* have sw or pw, *identified* has ifie, *execute* has exe, *authentication_string* has authe, *rds_* itself,
 * hexadecimal literals 0x or x', *://* a slash after a colon. So it is in a recording as it was sent, and as it stands in JSON. In
 * place, since most statements are so.
 */
export function isPlain(bytes: Buffer, start: number, end: number): boolean {
  const letterAt = (at: number) => (at >= start && at < end ? (bytes[at] as number) | 0x20 : 0)
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number
    const kind = classes[byte]
    if (kind === harmless) continue
    if (kind === refused) return false
    const before = letterAt(at - 1)
    const letter = byte | 0x20
    if (letter === w) {
      if (before === s || before === p) return false
    } else if (letter === f) {
      if (before === i && letterAt(at + 1) === i && letterAt(at + 2) === e) return false
    } else if (letter === h) {
      if (letterAt(at + 1) === e && letterAt(at - 2) === u && letterAt(at - 3) === a) return false
    } else if (letter === x) {
      if (before === zero || letterAt(at + 1) === quote || (before === e && letterAt(at + 1) === e)) return false
    } else if (byte === 0x5f) {
      if (before === s && letterAt(at - 2) === d) return false
    } else if (at + 1 < end && bytes[at + 1] === slash) return false
  }
  return true
}
