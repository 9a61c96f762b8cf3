import { parseAddressRange } from '../../proxy/ports/address-range.ts'

export { isLoopback } from '../../proxy/ports/loopback.ts'

/** True for an address that stands for every interface of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '*'
}

/** An address, or a CIDR such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  return parseAddressRange(text) !== undefined
}
