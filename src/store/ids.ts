import { randomBytes } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford base 32, lower case

/** Prefixes of every id that people see; time-ordered, 26 characters after the prefix. */
export type IdPrefix = 'prn' | 'lgn' | 'api' | 'req' | 'dec' | 'grt' | 'ses' | 'rev' | 'dmn' | 'ins' | 'rec' | 'dev'

export function newId<P extends IdPrefix>(prefix: P): `${P}_${string}` {
  return `${prefix}_${encodeBase32(uuidv7(undefined, new Uint8Array(16)))}`
}

/** When an id of {@link newId} was made, epoch milliseconds; undefined for one of another form. */
export function madeAt(id: string): number | undefined {
  const digits = Array.from(/^[a-z]{3}_([0-9a-z]{10})[0-9a-z]{16}$/.exec(id)?.[1] ?? '', (digit) =>
    alphabet.indexOf(digit),
  )
  if (digits.length === 0 || digits.includes(-1)) return undefined
  return Math.floor(digits.reduce((value, digit) => value * 32 + digit, 0) / 4) // 48 bits of 50
}

/** 16 characters, 80 random bits: short enough for a connect token of 64 characters. */
export function newTokenId(): string {
  return encodeBase32(randomBytes(10))
}

export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(value >>> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text
}
