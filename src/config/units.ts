import type { HostPort } from './config.ts'

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizeUnits: Readonly<Record<string, number>> = { KB: 1000, MB: 1_000_000, GB: 1_000_000_000 }

/** @param text e.g. `30s`; undefined when it isn't a duration. @returns milliseconds */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, /^([0-9]{1,8})(ms|s|m|h|d)$/, durationUnits)
}

/** @param text e.g. `1GB`, in powers of ten; undefined when it isn't a size. @returns bytes */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, /^([0-9]{1,6})(KB|MB|GB)$/, sizeUnits)
}

function parseQuantity(text: string, form: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, count, unit] = form.exec(text) ?? []
  return count === undefined || unit === undefined ? undefined : Number(count) * (units[unit] ?? Number.NaN)
}

/** @param text `HOST:PORT` or `[IPV6]:PORT`; undefined when it is neither, or the port is above 65535 */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):([0-9]{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host === undefined || !(port <= 65_535) ? undefined : { host, port }
}
