import { includesAddress } from '../ports/address-range.ts'

/** Addresses that nothing may lead to: link-local, among them the metadata services of clouds and containers. */
const forbidden = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128', 'fd00:ec2::23/128']

/** Asked of what a person wrote, and of what its name resolves to when it is connected to. False for names. */
export function isForbidden(host: string): boolean {
  return forbidden.some((range) => includesAddress(range, host))
}
