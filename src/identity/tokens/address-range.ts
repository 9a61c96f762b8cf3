import { BlockList, isIP } from 'node:net'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * Checks and normalises one address or CIDR, e.g. `10.0.0.0/8`.
 * @throws BrokerError INVALID_INPUT
 */
export function parseAddressRange(text: string): string {
  const [address = '', bits, ...rest] = text.trim().split('/')
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const isBits = bits === undefined || (/^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= most)
  if (version === 0 || address.includes('%') || rest.length > 0 || !isBits)
    throw new BrokerError('INVALID_INPUT', `cidr: expected an address or a range such as 10.0.0.0/8, got "${text}"`)
  return `${address}/${bits ?? most}`
}

/** @param range as {@link parseAddressRange} gave it; null takes every address */
export function includesAddress(range: string | null, address: string): boolean {
  if (range === null) return true
  const [net = '', bits = ''] = range.split('/')
  const plain = plainAddress(address)
  const version = isIP(plain)
  if (version === 0 || isIP(net) === 0) return false
  const list = new BlockList()
  list.addSubnet(net, Number(bits), isIP(net) === 4 ? 'ipv4' : 'ipv6')
  return list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
}

/** Without a zone, and an IPv4 address that came over an IPv6 socket as IPv4. */
function plainAddress(address: string): string {
  const bare = address.split('%')[0] ?? ''
  const mapped = /^::ffff:([0-9.]+)$/i.exec(bare)?.[1]
  return mapped ?? bare
}
