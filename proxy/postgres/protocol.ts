import type { KnownClient, PortOptions, Protocol, ProtocolParts } from '../relay/protocol.ts'
import { serveSession } from '../relay/serve-session.ts'
import type { ClientOrigin, EndReason } from '../session.ts'
import { endWith } from '../streams/farewell.ts'
import { CancelRegistry } from './cancel-registry.ts'
import { endLost } from './end-lost.ts'
import { createEngine } from './engine.ts'
import { protocol, type Received, receiveFromPort, receiveFromWebsocket } from './sign-in/downstream.ts'

/** The PostgreSQL protocol, versions 3.0 to 3.2. */
export function createPostgres(parts: ProtocolParts): Protocol {
  const { host } = parts
  const cancels = new CancelRegistry(host.doorman.place)
  host.onCancel(protocol, (ask) => cancels.use(ask))
  host.onEndLost(protocol, (permit, lost) => endLost(parts, permit, lost))
  const engine = createEngine(parts, cancels)

  const serve = async (received: Received | undefined): Promise<EndReason | undefined> => {
    if (received?.kind === 'client') return await serveSession(parts, engine, received.client)
    if (received?.kind !== 'cancel') return undefined
    received.stream.resume() // here, where nobody waits for bytes any more: before that it would not flow
    await host.doorman.cancel(received.ask).catch((error: unknown) => parts.onError(error, ''))
    endWith(received.stream) // libpq waits for this close
    return undefined
  }

  return {
    name: protocol,
    servePort: async (socket, client: ClientOrigin, options: PortOptions) => {
      const received = await receiveFromPort(parts, socket, client, options)
      if (received?.kind === 'client') options.signedIn()
      await serve(received)
    },
    serveStream: async (stream, known: KnownClient) => await serve(await receiveFromWebsocket(parts, stream, known)),
  }
}
