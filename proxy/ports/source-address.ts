import { isIP } from 'node:net'

/** An IPv4 address as such, also where it is written as an IPv6 one: `::ffff:192.0.2.1`, `::ffff:c000:201`, `0:0:0:0:0:ffff:192.0.2.1`. */
export function withoutMapping(address: string): string {
  if (isIP(address) !== 6 || address.includes('%')) return address
  const { hostname } = new URL(`http://[${address}]`) // as RFC 5952 writes it, the last two groups in hexadecimal
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname) ?? []
  if (high === undefined || low === undefined) return address
  const bytes = Buffer.alloc(4)
  bytes.writeUInt16BE(Number.parseInt(high, 16), 0)
  bytes.writeUInt16BE(Number.parseInt(low, 16), 2)
  return bytes.join('.')
}

/** What is counted as one source: an IPv4 address, or the /64 of an IPv6 address (as a socket gives it: RFC 5952). */
export function prefixOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail ? tail.split(':') : []
  if (tail !== undefined)
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - behind.length)).fill('0'), ...behind)
  return `${groups.slice(0, 4).join(':')}::/64`
}
