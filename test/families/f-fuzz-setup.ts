/** Texts that a person can write, for the fuzzers of this family. */
import { randomInt } from 'node:crypto'
import fc from '../fast-check.ts'

export const seconds = Number(process.env.SALLYPORT_FUZZ_SECONDS ?? 0)
export const seed = Number(process.env.SALLYPORT_FUZZ_SEED ?? randomInt(2 ** 31))

/** What is found on a terminal if nothing is escaped. */
export const harmful = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

const between = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code))
const unit = fc.oneof(
  between(0, 0x1f),
  between(0x7f, 0x9f),
  between(0xd800, 0xdfff), // halves of pairs, alone or by chance together
  between(0x2028, 0x2029),
  between(0x202a, 0x202e),
  between(0x2066, 0x2069),
  fc.constantFrom(
    '\0',
    '\r',
    '\n',
    '\r\n',
    '\u001b[2J',
    '\u001b]52;c;eA==\u0007',
    '\u009b31m',
    '\ufeff',
    '\ufffe',
    '\u00ad',
    '\u200b',
  ),
  fc.constantFrom(
    'e\u0301',
    '\u{e0001}',
    '\u{1f468}\u200d\u{1f469}',
    '\u{10ffff}',
    'İ',
    'ß',
    '"',
    '\\',
    "'",
    '$$',
    '%s',
    '$x',
    ',',
    '=1+1',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
)
export const text = fc.array(unit, { minLength: 1, maxLength: 24 }).map((units) => units.join(''))
