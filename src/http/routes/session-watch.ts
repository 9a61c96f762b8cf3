import type { WebSocket } from '@fastify/websocket'
import type { FastifyPluginAsync } from 'fastify'
import { toBrokerError } from '../../../proxy/relay/words.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { ShellClient } from '../../../proxy/shell/client.ts'
import { ClientSocket } from '../../../proxy/shell/client-socket.ts'
import { websocketRoute } from '../../identity/route.ts'
import { type FollowParts, followRecording } from '../../recordings/follow-recording.ts'
import { LiveView } from '../../recordings/live-view.ts'
import type { Watched, WatchedSessions } from '../../sessions/watched-session.ts'

export interface WatchRoutesDeps extends Pick<FollowParts, 'recordings'> {
  readonly watched: WatchedSessions
}

const path = 'GET /api/v1/sessions/:id/watch'

/** Terminals as they are recorded. What a watcher gets is read from the recording, so that no watcher holds the session up. */
export const watchRoutes =
  ({ watched, recordings }: WatchRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    websocketRoute(app, path, async (socket: WebSocket, { login, params: { id }, request }) => {
      const client = new ShellClient(new ClientSocket(socket))
      let session: Watched | undefined
      try {
        session = await watched.watch(login, id)
        await show(client, session, id, recordings)
        client.end()
      } catch (error) {
        if (!(error instanceof BrokerError))
          request.log.error({ err: error, session: id }, 'a session could not be watched')
        client.refuse(toBrokerError(error))
      } finally {
        await session?.leave()
      }
    })
  }

/** Resolves when the session is over and all is shown, or the client has left. @throws BrokerError why it is cut */
async function show(
  client: ShellClient,
  { offset, isElsewhere, signal, isOver }: Watched,
  sessionId: string,
  recordings: FollowParts['recordings'],
): Promise<void> {
  const view = new LiveView(offset)
  const stop = new AbortController()
  const isShown = Promise.withResolvers<void>()
  let isComplete = false
  const flush = () => {
    while (!client.isFull) {
      const shown = view.next()
      if (shown === undefined) return isComplete ? isShown.resolve() : undefined
      if ('bytes' in shown) client.send(shown.bytes)
      else client.tell(shown)
    }
  }
  client.attach({
    room: flush,
    resize: () => {},
    input: () => stop.abort(new BrokerError('PROTOCOL_ERROR', 'what is watched cannot be typed into')),
    violated: (error) => stop.abort(error),
  })
  const left = new BrokerError('PROTOCOL_ERROR', 'it has left')
  void client.left.then(() => stop.abort(left))
  const ends = AbortSignal.any([signal, stop.signal])
  ends.addEventListener('abort', () => isShown.reject(ends.reason))
  isShown.promise.catch(() => {}) // before the recording has ended, the loop throws it
  try {
    const parts = { recordings, isOver, isElsewhere }
    for await (const chunk of followRecording(parts, sessionId, offset, ends)) {
      view.push(chunk)
      flush()
    }
    isComplete = true
    flush()
    await isShown.promise
  } catch (error) {
    if (error !== left) throw error
  }
}
