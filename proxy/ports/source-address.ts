/** An IPv4 address as such, also where a socket for both families shows it as `::ffff:192.0.2.1`. */
export function withoutMapping(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice('::ffff:'.length) : address
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
