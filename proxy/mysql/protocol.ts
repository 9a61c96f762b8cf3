import { randomInt } from 'node:crypto'
import { sessionNumbers } from '../place.ts'
import type { KnownClient, PortOptions, Protocol, ProtocolParts } from '../relay/protocol.ts'
import { serveSession } from '../relay/serve-session.ts'
import type { ClientOrigin } from '../session.ts'
import { endLost } from './end-lost.ts'
import { createEngine } from './engine.ts'
import { Learnt } from './learnt.ts'
import { type DownstreamParts, protocol, receiveFromPort, receiveFromWebsocket } from './sign-in/downstream.ts'
import { Threads } from './threads.ts'

/** The protocol of MySQL and MariaDB, version 10 of its handshake with 4.1's packets. */
export function createMysql(parts: ProtocolParts): Protocol {
  const { host } = parts
  const threads = new Threads(host.doorman.place, randomInt(1, sessionNumbers + 1))
  const learnt = new Learnt()
  host.onStop(protocol, (ask) => threads.stop(ask))
  host.onEndLost(protocol, (permit, lost) => endLost(parts, permit, lost))
  const engine = createEngine(parts, { threads, learnt })
  const downstream: DownstreamParts = {
    ...parts,
    greet: (stream, resourceId) => ({ threadId: threads.reserve(stream), told: learnt.toldOf(resourceId) }),
  }
  return {
    name: protocol,
    servePort: async (socket, client: ClientOrigin, options: PortOptions) => {
      const received = await receiveFromPort(downstream, socket, client, options)
      if (!received) return
      options.signedIn()
      await serveSession(parts, engine, received)
    },
    serveStream: async (stream, known: KnownClient) => {
      const received = await receiveFromWebsocket(downstream, stream, known)
      return received && (await serveSession(parts, engine, received))
    },
  }
}
