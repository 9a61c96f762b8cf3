import { coversDatabase } from '../allowed-databases.ts'
import type { Doorman } from '../doorman.ts'
import type { Sides } from '../relay/conversation.ts'
import { BrokerError, toErrorFacts } from '../session.ts'
import { ClientLine } from '../streams/client-line.ts'
import type { ChangeUser } from '../wire/mysql/change-user.ts'
import { encodeError } from '../wire/mysql/encode.ts'
import { databaseDenied, otherUser, type Refusal } from './ledger/refusals.ts'
import type { MysqlRules } from './rules.ts'
import type { MysqlClient } from './sign-in/client.ts'
import { PacketLine } from './sign-in/packet-line.ts'
import { signInAgain } from './sign-in/sign-in-again.ts'
import { type Renewal, type RenewParts, renewSession } from './target/renew-session.ts'

export interface ChangeUserParts {
  readonly doorman: Pick<Doorman, 'tokenKeys' | 'identify' | 'refused'>
  readonly client: MysqlClient
  readonly rules: Pick<MysqlRules, 'databases' | 'defaultDatabase'>
  readonly target: RenewParts
}

export interface ChangedUser extends Renewal {
  /** Of the packet with its payload. */
  readonly sequence: number
}

/** Where the exchange with the client stands. */
export interface Exchange {
  /** Of the next packet. */
  readonly sequence: number
}

/**
 * @param sequence of the packet that answers the command
 * @param began called with the exchange of packets, so that a cut can be told in its order
 * @throws BrokerError when the session must end: the client did not prove that it is the same, or the target did not take the
 *   level's settings again
 */
export type ChangeUserOf = (
  asked: ChangeUser,
  sequence: number,
  sides: Sides,
  began: (exchange: Exchange) => void,
) => Promise<ChangedUser>

const signInMs = 30_000

/**
 * COM_CHANGE_USER of one session, which never changes the person: under the name of the sign-in, and proved again, it makes the
 * session a new one; any other name is refused, and the session stays as it is.
 */
export function createChangeUser({ doorman, client, rules, target }: ChangeUserParts): ChangeUserOf {
  let hasAsked = false
  const report = (error: BrokerError): void => {
    const { identity, resourceId, client: origin, level, tool } = client
    const more = { ...(level === undefined ? {} : { level }), ...(tool === undefined ? {} : { tool }) }
    doorman.refused({ identity, resourceId, client: origin, ...more }, toErrorFacts(error))
  }
  return async (asked, sequence, sides, began) => {
    if (asked.user !== client.user) {
      if (!hasAsked) report(new BrokerError('GRANT_DENIED', 'a session keeps the user that signed in'))
      hasAsked = true // once, so that no client fills the log
      return refused(otherUser, sequence)
    }
    const database = asked.database === '' ? rules.defaultDatabase : asked.database
    if (database !== '' && !coversDatabase(rules.databases, database))
      return refused(databaseDenied(database, rules.databases), sequence)
    const next = await sides.client(async (stream) => {
      const line = new ClientLine(stream, signInMs)
      const packets = new PacketLine(line, sequence)
      began(packets)
      try {
        await signInAgain(packets, asked, client, doorman)
        return packets.sequence
      } catch (error) {
        if (error instanceof BrokerError) report(error)
        throw error
      } finally {
        line.release()
      }
    })
    const { charset } = asked
    const renewed = await sides.target((stream) => renewSession(stream, target, { database, charset }))
    return { ...renewed, sequence: next }
  }
}

function refused(refusal: Refusal, sequence: number): ChangedUser {
  return { payload: encodeError(refusal), sequence }
}
