import { BlockList, isIP } from 'node:net'
import { withoutMapping } from './source-address.ts'

/** Of an IPv6 address that stands for an IPv4 one, the bits before it. */
const mappedBits = 96

/**
 * One address or CIDR, written as a CIDR: `10.0.0.0/8`, `192.0.2.7/32`. IPv4 written as IPv6 becomes IPv4, so that one range has one
 * form. Undefined for anything else, for a zone, and for a range around all of IPv4 that is written as a mapped one.
 */
export function parseAddressRange(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const isBits = bits === undefined || (/^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= most)
  if (version === 0 || address.includes('%') || rest.length > 0 || !isBits) return undefined
  const plain = withoutMapping(address)
  if (isIP(plain) === version) return `${plain}/${bits ?? most}`
  const plainBits = Number(bits ?? most) - mappedBits
  return plainBits < 0 ? undefined : `${plain}/${plainBits}`
}

/** @param range as {@link parseAddressRange} gives it, or an earlier version did; null takes every address */
export function includesAddress(range: string | null, address: string): boolean {
  if (range === null) return true
  return addressesOf([range])(address)
}

/** {@link includesAddress} of any of them, for ranges that are asked often. */
export function addressesOf(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', bits = ''] = (parseAddressRange(range) ?? '').split('/')
    if (isIP(net) !== 0) list.addSubnet(net, Number(bits), isIP(net) === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => {
    const plain = withoutMapping(address.split('%')[0] ?? '')
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Whether a range lies in another, both as for {@link includesAddress}. @param range null is every address, and lies in none */
export function isWithinRange(range: string | null, outer: string): boolean {
  const [inner, around] = [parseAddressRange(range ?? ''), parseAddressRange(outer)]
  if (inner === undefined || around === undefined) return false
  const [address = '', bits = ''] = inner.split('/')
  const [net = '', outerBits = ''] = around.split('/')
  const more = isIP(address) === isIP(net) ? 0 : mappedBits // IPv4 within a range of IPv6
  return includesAddress(around, address) && Number(bits) + more >= Number(outerBits)
}
