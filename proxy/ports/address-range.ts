import { BlockList, isIP } from 'node:net'
import { withoutMapping } from './source-address.ts'

/** One address or CIDR, written as a CIDR: `10.0.0.0/8`, `192.0.2.7/32`. Undefined for anything else, and for a zone. */
export function parseAddressRange(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const isBits = bits === undefined || (/^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= most)
  if (version === 0 || address.includes('%') || rest.length > 0 || !isBits) return undefined
  return `${address}/${bits ?? most}`
}

/** @param range as {@link parseAddressRange} gave it; null takes every address */
export function includesAddress(range: string | null, address: string): boolean {
  if (range === null) return true
  const [net = '', bits = ''] = range.split('/')
  const plain = withoutMapping(address.split('%')[0] ?? '')
  const version = isIP(plain)
  if (version === 0 || isIP(net) === 0) return false
  const list = new BlockList()
  list.addSubnet(net, Number(bits), isIP(net) === 4 ? 'ipv4' : 'ipv6')
  return list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
}

/** Whether a range, as {@link parseAddressRange} gave it, lies in another. @param range null is every address, and lies in none */
export function isWithinRange(range: string | null, outer: string): boolean {
  if (range === null) return false
  const [address = '', bits = ''] = range.split('/')
  return includesAddress(outer, address) && Number(bits) >= Number(outer.split('/')[1])
}
