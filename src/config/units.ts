import type { HostPort } from './config.ts'

export { parseDuration } from '../../proxy/duration.ts'

const sizeUnits: Readonly<Record<string, number>> = { KB: 1000, MB: 1_000_000, GB: 1_000_000_000 }

/** @param text e.g. `1GB`, in powers of ten; undefined for anything else. @returns bytes */
export function parseSize(text: string): number | undefined {
  const [, count, unit = ''] = /^([0-9]{1,6})(KB|MB|GB)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (sizeUnits[unit] ?? Number.NaN)
}

/** @param text `HOST:PORT` or `[IPV6]:PORT`; undefined when it is neither, or the port is above 65535 */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):([0-9]{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host === undefined || !(port <= 65_535) ? undefined : { host, port }
}
