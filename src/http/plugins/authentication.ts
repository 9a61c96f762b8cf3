import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { BrokerError } from '../../../proxy/session.ts'
import { admit } from '../../identity/admission.ts'
import type { IdentityService } from '../../identity/identity.ts'
import type { PeerGuard } from '../../peers/peer-guard.ts'
import type { MessageHead } from '../../peers/peer-message.ts'
import { isWebsocketOffer } from '../own-paths.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a call by another daemon, which was let in. */
    peer: MessageHead | null
  }
}

const unsafe = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** The cookie of a browser session; `__Host-` demands HTTPS, so loopback HTTP goes without the prefix. */
export function sessionCookieName(publicUrl: string): string {
  return publicUrl.startsWith('https:') ? '__Host-sallyport' : 'sallyport'
}

export interface AuthenticationOptions {
  readonly identity: IdentityService
  readonly publicUrl: string
  /** By default there are no other daemons. */
  readonly peers?: Pick<PeerGuard, 'admit'>
  /** Called for each request whose caller is known, whether the request is allowed or not. */
  onSignedIn(request: FastifyRequest): void
}

/** Denies by default: checks sign-in, role, scope and origin of every route and websocket. */
export const authentication = fp(async (app, options: AuthenticationOptions) => {
  const cookieName = sessionCookieName(options.publicUrl)
  const { origin } = new URL(options.publicUrl)
  app.decorateRequest('login', null)
  app.decorateRequest('peer', null)
  app.addHook('onRequest', async (request) => {
    const config = request.routeOptions.config
    if (request.is404) return
    if (config.access === 'peer') {
      if (!options.peers) throw new BrokerError('PEER_REFUSED')
      request.peer = options.peers.admit(request)
      options.onSignedIn(request)
      return
    }
    // The scheme's case is free (RFC 9110, section 11.1).
    const bearer = /^Bearer {1,8}([A-Za-z0-9._~+/=-]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1]
    const cookie = bearer ? undefined : request.cookies[cookieName]
    request.login =
      bearer || cookie ? await options.identity.authenticate({ bearer, cookie, address: request.ip }) : null
    if (request.login) options.onSignedIn(request)
    const isWebsocket = isWebsocketOffer(request.headers.upgrade)
    // A browser sends the cookie by itself, so a call that changes state must come from our own pages.
    if (cookie && (unsafe.has(request.method) || isWebsocket) && request.headers.origin !== origin) {
      throw new BrokerError('ORIGIN_REFUSED')
    }
    if (request.login) admit({ door: 'api', by: request.login, from: request.ip, route: config })
    else if (config.access !== 'public')
      throw new BrokerError('LOGIN_REQUIRED', undefined, { hint: 'run: sallyport login' })
  })
})
