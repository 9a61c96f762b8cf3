/** Longer ones are no links. */
const longest = 2000
/** Begins at http(s), and has no space, quote, bracket of code, or character that is invisible or reorders. */
const pattern = /\bhttps?:\/\/[^\s"'`<>{}|\\^\p{C}\p{Z}]+/giu
/** At its end they are of the sentence around it. */
const trailing = '.,;:!?*_~…'
const brackets: Readonly<Record<string, string>> = { ')': '(', ']': '[' }

export interface FoundAddress {
  /** Offsets in the text. */
  readonly start: number
  readonly end: number
  /** As a browser writes it: other scripts in a host name are not what they look like. */
  readonly address: string
}

/** Web addresses that stand in a text, without being marked as links. */
export function findAddresses(text: string): FoundAddress[] {
  return Array.from(text.matchAll(pattern)).flatMap(({ 0: found, index }) => {
    const written = withoutTrailing(found)
    const address = written.length > longest ? undefined : webAddress(written)
    return address === undefined ? [] : [{ start: index, end: index + written.length, address }]
  })
}

/** @returns undefined for what is no address of the web */
export function webAddress(text: string): string | undefined {
  const url = URL.parse(text)
  return url && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '' ? url.href : undefined
}

function withoutTrailing(found: string): string {
  const count = new Map<string, number>()
  for (const character of found) count.set(character, (count.get(character) ?? 0) + 1)
  let end = found.length
  for (; end > 0; end -= 1) {
    const last = found[end - 1] ?? ''
    const opening = brackets[last]
    const isUnmatched = opening !== undefined && (count.get(last) ?? 0) > (count.get(opening) ?? 0)
    if (!trailing.includes(last) && !isUnmatched) break
    count.set(last, (count.get(last) ?? 0) - 1)
  }
  return found.slice(0, end)
}
