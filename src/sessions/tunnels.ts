import type { Doorman, Identity, OpenedTunnel } from '../../proxy/doorman.ts'
import { BrokerError, type ChannelTicket, type PermitFacts } from '../../proxy/session.ts'

/** A session that needs a tunnel. */
export interface TunnelSession {
  readonly facts: PermitFacts
  /** By which it was opened; null: it is over, and is only being ended. */
  readonly credential: Identity['credential'] | null
}

/** Session Manager sessions through instances; implemented by src/aws/tunnels.ts. */
export interface SessionTunnels {
  /** To the address of the session's permit. @throws BrokerError what {@link Doorman.openTunnel} throws */
  open(session: TunnelSession, instance: string): Promise<OpenedTunnel>
  /** @returns null: it is over */
  ticket(tunnelId: string): Promise<ChannelTicket | null>
  end(tunnelId: string): Promise<void>
  /** @param reason of a Session Manager session @returns whether it is a tunnel of a process of that daemon which is gone */
  isLeftBy(daemonId: string, reason: string): boolean
}

/** @param sessionOf one that may reach its target now @throws BrokerError GRANT_DENIED, INTERNAL */
export function tunnelCalls(
  tunnels: SessionTunnels,
  sessionOf: (sessionId: string) => TunnelSession,
): Pick<Doorman, 'openTunnel' | 'tunnelTicket' | 'endTunnel'> {
  return {
    openTunnel: async ({ sessionId, instance }) => {
      const session = sessionOf(sessionId)
      if (!session.facts.engine?.via?.instances.includes(instance))
        throw new BrokerError('INTERNAL', `session ${sessionId} does not go through ${instance}`)
      return await tunnels.open(session, instance)
    },
    tunnelTicket: (tunnelId) => tunnels.ticket(tunnelId),
    endTunnel: (tunnelId) => tunnels.end(tunnelId),
  }
}
