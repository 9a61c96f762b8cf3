import { BrokerError } from '../session.ts'
import type { RawHeaders } from './headers.ts'

/** Of one connection (RFC 9110, 7.6.1), or for another client than ours. */
const dropped = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
  'set-cookie',
  'location',
  'content-location',
  'refresh',
]

/**
 * Headers of an answer that go on to the client, as they came: also how it is compressed, which nothing here undoes.
 * @throws BrokerError TARGET_REFUSED for a redirect, which would take clients and their tokens elsewhere
 */
export function responseHeaders(status: number, raw: RawHeaders): string[] {
  if (status >= 300 && status < 400 && status !== 304)
    throw new BrokerError('TARGET_REFUSED', `the cluster answered with a redirect (${status})`)
  const named = raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'connection')
  const ofConnection = named
    .join(',')
    .toLowerCase()
    .split(/[\s,]+/)
  return raw.filter((_, i) => {
    const name = raw[i - (i % 2)]?.toLowerCase() ?? ''
    return !dropped.includes(name) && !ofConnection.includes(name)
  })
}
