import { isLoopback } from '../../../proxy/ports/loopback.ts'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * `access.example.com` → `https://access.example.com`: the origin of a broker.
 * @throws BrokerError INVALID_INPUT for anything else than an origin, and for plain HTTP beyond this machine, which would
 *   show the login to the network
 */
export function serverAddress(text: string): string {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `https://${text}`)
  if (url?.pathname !== '/' || url.search || url.hash || url.username)
    throw new BrokerError('INVALID_INPUT', `expected the address of a broker, got "${text}"`, {
      hint: 'for example: --server https://access.example.com',
    })
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new BrokerError('INVALID_INPUT', `${url.origin} is not encrypted`, { hint: 'use https://' })
  return url.origin
}
