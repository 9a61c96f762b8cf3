import { type CancelAsk, firstStop, type StopAsk, type StopResult } from '../../proxy/doorman.ts'
import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Mark } from '../audit/mark/mark.ts'
import type { Daemons } from '../daemons/daemons.ts'
import type { PeerHandlers } from '../peers/peer-answers.ts'
import type { Peers } from '../peers/peers.ts'
import type { Recordings, RecordingsElsewhere } from '../recordings/recordings.ts'
import type { SessionStore } from '../sessions/session-store.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Stops } from '../sessions/stops.ts'
import type { Told } from '../sessions/watched-session.ts'

/** What this daemon does for others. */
export function peerHandlers(parts: {
  readonly mark: Pick<Mark, 'state'>
  readonly recordings: Pick<Recordings, 'piece' | 'size'>
  readonly sessions: Pick<Sessions, 'tell'>
  readonly stops: Pick<Stops, 'cancelHere' | 'stopHere'>
}): PeerHandlers {
  const { mark, recordings, sessions, stops } = parts
  return {
    cancel: async ({ key, ...ask }) => ({
      isRight: await stops.cancelHere({ ...ask, key: Buffer.from(key, 'hex') }),
    }),
    stop: async (ask) => ({ result: await stops.stopHere(ask) }),
    mark: async () => mark.state,
    recording: async ({ session, offset }) => {
      const piece = await recordings.piece(session, offset)
      return { isThere: piece !== undefined, bytes: piece?.toString('base64') ?? '' }
    },
    tell: async ({ session, text }) => {
      const isShown = await sessions.tell(session, text)
      return { isShown, size: (await recordings.size(session)) ?? 0 }
    },
  }
}

/** Passes a cancel to the daemon whose number its key has. */
export function cancelAt(peers: Peers, daemons: Daemons) {
  return async (daemonNumber: number, { key, ...ask }: CancelAsk): Promise<boolean> => {
    const peer = daemons.others.find(({ number }) => number === daemonNumber)
    if (!peer) return false
    return (await peers.call(peer, 'cancel', { ...ask, key: Buffer.from(key).toString('hex') })).isRight
  }
}

/** Asks all other daemons at once for the session that a person names: its number may be the target's, which names no daemon. */
export function stopElsewhere(peers: Pick<Peers, 'call'>, daemons: Pick<Daemons, 'others'>) {
  return async (ask: StopAsk): Promise<StopResult> => {
    const asked = await Promise.allSettled(daemons.others.map((peer) => peers.call(peer, 'stop', ask)))
    const result = firstStop(asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value.result] : [])))
    const failed = asked.find((one) => one.status === 'rejected')
    if (result === 'unknown' && failed) throw failed.reason
    return result
  }
}

/** Tells the person in front of a terminal that another daemon carries. */
export function tellElsewhere(peers: Pick<Peers, 'call'>, daemons: Pick<Daemons, 'others'>) {
  return async (daemonId: string, session: string, text: string): Promise<Told> => {
    const peer = daemons.others.find(({ id }) => id === daemonId)
    if (!peer) throw new BrokerError('PEER_UNREACHABLE', `the session runs at ${daemonId}`)
    return await peers.call(peer, 'tell', { session, text })
  }
}

export interface ElsewhereDeps {
  readonly peers: Peers
  readonly daemons: Daemons
  readonly audit: Pick<AuditLog, 'search'>
  readonly sessions: Pick<SessionStore, 'find'>
}

/**
 * Recordings that other daemons wrote, read from them.
 * @returns undefined for one that is of no other daemon; throws PEER_UNREACHABLE while its daemon does not answer
 */
export function recordingsElsewhere({ peers, daemons, audit, sessions }: ElsewhereDeps): RecordingsElsewhere {
  return async (session, from) => {
    const daemon = (await sessions.find(session))?.daemon_id
    if (daemon === undefined || daemon === daemons.id) return undefined
    const peer = daemons.others.find(({ id }) => id === daemon)
    if (!peer) {
      const [started] = (await audit.search({ types: ['daemon.started'], subject: daemon, limit: 1 })).events
      if (!started) return undefined // of a version whose daemons had no id: then it was written here
      throw new BrokerError('PEER_UNREACHABLE', `the recording is kept at ${started.text?.name ?? daemon} (${daemon})`)
    }
    const piece = async (offset: number) => {
      const asked = peers.call(peer, 'recording', { session, offset })
      const { isThere, bytes } = await asked.catch((cause: unknown) => {
        if (!(cause instanceof BrokerError) || cause.code !== 'PEER_UNREACHABLE') throw cause
        throw new BrokerError('PEER_UNREACHABLE', `the recording is kept at ${cause.detail ?? peer.name}`, { cause })
      })
      if (!isThere) throw new BrokerError('NOT_FOUND', `there is no recording of session ${session} at ${peer.name}`)
      return Buffer.from(bytes, 'base64')
    }
    const first = await piece(from)
    return (async function* () {
      let offset = from
      for (let bytes = first; bytes.length > 0; bytes = await piece(offset)) {
        yield bytes
        offset += bytes.length
      }
    })()
  }
}
