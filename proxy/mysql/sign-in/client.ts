import type { SignedInClient } from '../../relay/serve-session.ts'
import type { Words } from '../../relay/words.ts'

/**
 * A MySQL client that has been identified and has named what it wants. It waits for the OK of its sign-in, which is sent once
 * the target has signed us in, so that a failure there reaches the client as an error of its sign-in.
 */
export interface MysqlClient extends SignedInClient {
  /** Its number in the greeting, by which a second connection names this one in KILL. */
  readonly threadId: number
  /** Sequence id of the OK or error that it waits for. */
  readonly sequence: number
  readonly words: Words
  /** Those that it has of what was offered. */
  readonly capabilities: number
  readonly maxPacketBytes: number
  /** Id of its collation, one byte. */
  readonly charset: number
  /** As it named itself: `t_<token id>`, or any other name. */
  readonly user: string
  readonly database?: string
  readonly attributes: readonly (readonly [string, string])[]
}
