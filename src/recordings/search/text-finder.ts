/** Where an entry has the text that is searched for. */
export interface FoundText {
  /** Path of the member, such as `sql`, `values[1]` or `error.message`. */
  readonly member: string
  /** The text of the member around the place; what is left out at either end is `…`. */
  readonly text: string
}

/** Named, and no part of what was said. Digests would be found by chance. */
const unsearched: ReadonlySet<string> = new Set(['type', 'hmac', 'sqlHmac', 'sqlBase64'])
/** Around the place. */
const shownCharacters = 120
const mostPlaces = 10

/** Finds a plain text, whether in upper or lower case, in entries as they are recorded. */
export class TextFinder {
  readonly #wanted: string
  /** As it stands in JSON. */
  readonly #inJson: string
  /** Of values whose type is not known, the bytes are on record: they hold it as it was sent. */
  readonly #inHex: string

  constructor(text: string) {
    this.#wanted = folded(text)
    this.#inJson = folded(JSON.stringify(text).slice(1, -1))
    this.#inHex = Buffer.from(text).toString('hex')
  }

  /** Whether it is worth parsing. */
  mayBeIn(json: string): boolean {
    const text = folded(json)
    return text.includes(this.#inJson) || text.includes(this.#inHex)
  }

  /** @returns where the entry has the text, at most ten places, one for each member; none: nowhere */
  find(entry: unknown): FoundText[] {
    const found: FoundText[] = []
    this.#look(entry, '', found)
    return found
  }

  /** The text around the first place where it has what is searched for, or its beginning. */
  excerpt(text: string, characters = shownCharacters): string {
    const at = folded(text).indexOf(this.#wanted)
    if (at < 0) return cut(text, 0, 2 * characters)
    const from = placeIn(text, at)
    return cut(text, from - characters, from + this.#wanted.length + characters)
  }

  #lookInBytes(hex: string, member: string, found: FoundText[]): void {
    if (hex.includes(this.#inHex)) found.push({ member, text: this.excerpt(Buffer.from(hex, 'hex').toString('utf8')) })
    else this.#look(hex, `${member}.hex`, found)
  }

  #look(value: unknown, member: string, found: FoundText[]): void {
    if (found.length === mostPlaces) return
    if (typeof value === 'string') {
      if (folded(value).includes(this.#wanted)) found.push({ member, text: this.excerpt(value) })
    } else if (Array.isArray(value)) {
      value.forEach((item, i) => {
        this.#look(item, `${member}[${i}]`, found)
      })
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value))
        if (name === 'hex' && typeof item === 'string') this.#lookInBytes(item, member, found)
        else if (!unsearched.has(name)) this.#look(item, member === '' ? name : `${member}.${name}`, found)
    }
  }
}

/** Lower case, and a Greek sigma alike wherever it stands. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ')
}

/** Where a place of the folded text is in the text itself: a few letters become two when they are folded. */
function placeIn(text: string, at: number): number {
  if (folded(text).length === text.length) return at
  let before = 0
  let place = 0
  for (const character of text) {
    if (before >= at) break
    before += folded(character).length
    place += character.length
  }
  return place
}

function cut(text: string, from: number, to: number): string {
  const start = Math.max(0, from)
  const end = Math.min(text.length, to)
  // No half of a surrogate pair at either end.
  const shown = text.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '')
  return `${start > 0 ? '…' : ''}${shown}${end < text.length ? '…' : ''}`
}
