import { addressesOf } from '../ports/address-range.ts'

/** Addresses that are never dialled: link-local, among them the metadata services of clouds and containers, and AWS's own of IPv6. */
const isLinkLocal = addressesOf(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/32'])

/** Checks both the configured address and what its name resolves to when connecting. False for names. */
export function isForbidden(host: string): boolean {
  return isLinkLocal(host)
}
