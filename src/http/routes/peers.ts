import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { route } from '../../identity/route.ts'
import { answerPeer, type PeerAnswersDeps } from '../../peers/peer-answers.ts'
import { peerHeader } from '../../peers/peer-message.ts'

/** An ask is a few hundred bytes. */
const mostBytes = 16 * 1024

/** Calls by other daemons of the installation. Who calls was found out before the body is read (plugins/authentication.ts). */
export const peerRoutes =
  (deps: PeerAnswersDeps): FastifyPluginAsync =>
  async (app) => {
    app.removeAllContentTypeParsers()
    const parser = { parseAs: 'buffer', bodyLimit: mostBytes } as const
    app.addContentTypeParser('application/octet-stream', parser, (_, body, done) => done(null, body))
    route(
      app,
      'POST /internal/peer/:what',
      async ({ request, reply, params: { what } }) => {
        const { peer, body } = request
        if (!peer || !Buffer.isBuffer(body)) throw new BrokerError('PEER_REFUSED')
        const answer = await answerPeer(deps, what, peer, body)
        return reply.type('application/octet-stream').header(peerHeader, answer.header).send(answer.body)
      },
      { rateLimit: false },
    )
  }
