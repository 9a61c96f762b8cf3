import type { IncomingMessage } from 'node:http'
import proxyAddr from '@fastify/proxy-addr'
import { withoutMapping } from '../../proxy/ports/source-address.ts'
import type { ClientOrigin } from '../../proxy/session.ts'
import { plainForwardedFor } from './plugins/forwarded-for.ts'

/** Where a request comes from that the API does not parse: as Fastify finds it for all others. */
export function clientOrigins(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientOrigin {
  const isTrusted = proxyAddr.compile([...trustedProxies])
  return (request) => {
    plainForwardedFor(request)
    const address = withoutMapping(proxyAddr(request, isTrusted))
    return { address, port: request.socket.remotePort ?? 0, via: 'listener' }
  }
}
