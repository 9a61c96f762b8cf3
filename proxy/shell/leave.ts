import { setTimeout as wait } from 'node:timers/promises'
import type { ProtocolParts } from '../relay/protocol.ts'
import { type EndReason, isCut, type SessionOutcome, type SessionPermit } from '../session.ts'
import type { Terminal } from '../ssm/terminal.ts'

/** For the service to say that a session is over. */
const endMs = 5000

/**
 * Ends the session at the instance, on both ways: the agent is told, and AWS. What a person has started to run on without a terminal is
 * not ended by that.
 * @param terminal undefined: nothing was asked of AWS
 */
export async function leave(
  { host, onError }: ProtocolParts,
  { sessionId }: SessionPermit,
  reason: EndReason,
  terminal: Terminal | undefined,
): Promise<Pick<SessionOutcome, 'unfinished'>> {
  if (!terminal) return {}
  const told = terminal.stream.channel.close()
  terminal.stream.resume() // what still arrives is dropped
  terminal.stderr.resume()
  const ended = host.doorman.endChannel(sessionId).then(
    () => true,
    (error: unknown) => {
      onError(error, sessionId)
      return false
    },
  )
  const isEnded = (await Promise.race([ended, wait(endMs, false, { ref: false })])) || (await told)
  terminal.stream.destroy()
  return isCut(reason) ? { unfinished: isEnded ? 'ended' : 'closed' } : {}
}
