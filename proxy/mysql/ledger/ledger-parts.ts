import type { Duplex } from 'node:stream'
import type { StopResult } from '../../doorman.ts'
import type { ConversationParts } from '../../relay/conversation.ts'
import type { ChangeUserOf } from '../change-user.ts'
import type { SessionText } from '../sql/session-text.ts'

export interface LedgerParts extends ConversationParts {
  /** Agreed with the client and with the target: the same ones. */
  readonly capabilities: number
  /** 0: none. */
  readonly maxRows: number
  readonly capture: SessionText
  /** That the client may change to; `*` among them: all. */
  readonly databases: readonly string[]
  /** LOAD DATA LOCAL INFILE may be used. */
  readonly mayLoadLocal: boolean
  /**
   * Carries out COM_RESET_CONNECTION at the target, where the level has set what it would drop. Left out: it goes on as it is.
   * @returns the payload of the answer @throws BrokerError when the session is without what the level sets
   */
  reset?(stream: Duplex): Promise<Buffer>
  /** Carries out COM_CHANGE_USER. */
  readonly changeUser: ChangeUserOf
  /** Carries out a KILL, of a thread that the client knows by this number. @throws when the target can't be asked */
  kill(id: number, what: 'connection' | 'query'): Promise<StopResult | 'pooled'>
}
