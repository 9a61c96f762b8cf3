/** Values of settings, read as a server reads them (PostgreSQL documentation, "Parameter Names and Values"). */

const booleanWords: readonly [word: string, shortest: number, value: boolean][] = [
  ['true', 1, true],
  ['false', 1, false],
  ['yes', 1, true],
  ['no', 1, false],
  ['on', 2, true],
  ['off', 2, false],
  ['1', 1, true],
  ['0', 1, false],
]

/** In any case, and cut short as far as it stays clear. @returns undefined for any other text */
export function parseBoolean(text: string): boolean | undefined {
  const given = text.toLowerCase()
  return booleanWords.find(([word, shortest]) => given.length >= shortest && word.startsWith(given))?.[2]
}

const unitsMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A number as C's strtol and strtod take it, then a unit; blanks around both. No two runs of blanks meet, so that its cost is linear. */
const duration =
  /^[ \t\n\v\f\r]*([-+]?(?:0[xX][0-9a-fA-F]{1,15}|[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE][-+]?[0-9]{1,2})?)(?:[ \t\n\v\f\r]*([a-z]{1,3}))?[ \t\n\v\f\r]*$/
const longestMs = 2_147_483_647

/**
 * A duration whose own unit is milliseconds, such as statement_timeout.
 * @returns whole milliseconds; undefined for what a server refuses. A positive one below half a millisecond is 0, as there
 */
export function parseMilliseconds(text: string): number | undefined {
  const [, number = '', unit = ''] = duration.exec(text) ?? []
  const factor = unit === '' ? 1 : unitsMs[unit]
  const count = parseNumber(number)
  if (factor === undefined || count === undefined) return undefined
  const ms = Math.round(count * factor)
  return ms >= 0 && ms <= longestMs ? ms : undefined
}

/** A leading zero alone means octal. */
function parseNumber(text: string): number | undefined {
  const [, sign, digits = ''] = /^([-+]?)(.+)$/.exec(text) ?? []
  const octal = /^0[0-9]+$/.test(digits)
  if (digits === '' || (octal && !/^[0-7]+$/.test(digits))) return undefined
  const value = octal ? Number.parseInt(digits, 8) : Number(digits)
  if (Number.isNaN(value)) return undefined
  return sign === '-' ? -value : value
}
