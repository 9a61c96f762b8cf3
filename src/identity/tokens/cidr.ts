import { parseAddressRange } from '../../../proxy/ports/address-range.ts'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * Checks and normalises one address or CIDR, e.g. `10.0.0.0/8`.
 * @throws BrokerError INVALID_INPUT
 */
export function readCidr(text: string): string {
  const range = parseAddressRange(text.trim())
  if (range !== undefined) return range
  throw new BrokerError('INVALID_INPUT', `cidr: expected an address or a range such as 10.0.0.0/8, got "${text}"`)
}
