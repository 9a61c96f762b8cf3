import type { IncomingMessage } from 'node:http'
import proxyAddr from '@fastify/proxy-addr'
import { withoutMapping } from '../../proxy/ports/source-address.ts'
import type { ClientOrigin } from '../../proxy/session.ts'
import { plainForwardedFor } from './plugins/forwarded-for.ts'

type ClientHeaders = Pick<IncomingMessage, 'headers' | 'socket'>

/** Where a request comes from that the API does not parse: as Fastify finds it for all others. */
export function clientOrigins(trustedProxies: readonly string[]): (request: ClientHeaders) => ClientOrigin {
  const isTrusted = proxyAddr.compile([...trustedProxies])
  return (request) => {
    plainForwardedFor(request)
    const address = withoutMapping(proxyAddr(request as IncomingMessage, isTrusted))
    return { address, port: request.socket.remotePort ?? 0, via: 'listener' }
  }
}
