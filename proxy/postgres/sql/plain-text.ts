/** What a byte means for {@link isPlain}. */
const refused = 0
const harmless = 1
const suspicious = 2

const classes = new Uint8Array(256).fill(harmless, 0x20, 0x7f)
for (const letter of '"\\') classes[letter.charCodeAt(0)] = refused
for (const letter of 'wWpPxX:') classes[letter.charCodeAt(0)] = suspicious

const [a, e, o, p, s, w, x] = Array.from('aeopswx', (letter) => letter.charCodeAt(0))
const slash = 0x2f

/**
 * Whether a text is printable ASCII without `"` and `\` and holds no pair of letters that all of what may hold a secret has:
 * *passw* and *pwd* have sw or pw, *options* has op, *execute* has ex, *uescape* has ap, *://* a slash after a colon. So it is in
 * a recording as it was sent, and as it stands in JSON. In place, since most statements are so.
 */
export function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] as number
    const kind = classes[byte]
    if (kind === harmless) continue
    if (kind === refused) return false
    const before = i > start ? (bytes[i - 1] as number) | 0x20 : 0
    const letter = byte | 0x20
    if (letter === w) {
      if (before === s || before === p) return false
    } else if (letter === p) {
      if (before === o || before === a) return false
    } else if (letter === x) {
      if (before === e) return false
    } else if (i + 1 < end && bytes[i + 1] === slash) return false
  }
  return true
}
