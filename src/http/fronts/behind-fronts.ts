import fp from 'fastify-plugin'
import { isSameText } from '../../../proxy/constant-time.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { frontHeaders } from '../../identity/route.ts'

/**
 * For the process that decides: every request comes from a front, and says so by the secret that it was given. Fronts keep back what
 * clients send under these names.
 */
export const behindFronts = fp(async (app, { secret }: { secret: string }) => {
  app.addHook('onRequest', async ({ headers }) => {
    const given = headers[frontHeaders.secret]
    if (typeof given !== 'string' || !isSameText(given, secret)) throw new BrokerError('PEER_REFUSED')
    delete headers[frontHeaders.secret]
  })
  app.addHook('onSend', async (request, reply) => {
    if (request.login || request.peer) reply.header(frontHeaders.signedIn, '1')
  })
})

/** Of a proxy in front of a Unix socket, which has no address itself: what it added last is the client. */
export const trustFront = (_address: string, hop: number): boolean => hop === 0
