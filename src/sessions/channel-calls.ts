import type { Doorman } from '../../proxy/doorman.ts'
import { BrokerError } from '../../proxy/session.ts'
import type { KnownSession, SessionChannels, SessionKinds } from './session-kinds.ts'

interface OpenSessions {
  /** @throws BrokerError GRANT_DENIED once it was cut */
  uncut(sessionId: string): KnownSession
  /** @throws BrokerError INTERNAL once it has ended */
  known(sessionId: string): KnownSession
}

/** The doorman's calls for sessions that are carried by one Session Manager session each. */
export function channelCalls(
  kinds: Pick<SessionKinds, 'channelsOf'>,
  { uncut, known }: OpenSessions,
): Pick<Doorman, 'channelTicket' | 'channelKey' | 'endChannel'> {
  const channelsOf = ({ facts: { kind } }: KnownSession): SessionChannels => {
    const channels = kinds.channelsOf(kind)
    if (!channels) throw new BrokerError('INTERNAL', `nothing of the kind ${kind} goes over Session Manager`)
    return channels
  }
  return {
    channelTicket: async (sessionId, command) => {
      const session = uncut(sessionId)
      return await channelsOf(session).ticket(session, command)
    },
    channelKey: async (sessionId, ask) => {
      const session = uncut(sessionId)
      return await channelsOf(session).key(session, ask)
    },
    endChannel: async (sessionId) => {
      const session = known(sessionId)
      await channelsOf(session).end(session)
    },
  }
}
