import { isIP } from 'node:net'

/**
 * An IPv4 address as such, also where it is written as an IPv6 one: `::ffff:192.0.2.1`, `::ffff:c000:201`, `0:0:0:0:0:ffff:192.0.2.1`.
 * Other IPv6 addresses as RFC 5952 writes them, which is how sockets write theirs.
 */
export function withoutMapping(address: string): string {
  if (isIP(address) !== 6 || address.includes('%')) return address
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1) // the last two groups in hexadecimal
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain) ?? []
  if (high === undefined || low === undefined) return plain
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
