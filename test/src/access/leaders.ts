import { sql } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { Leadership } from '../../../src/daemons/leadership.ts'
import type { Db } from '../../../src/store/store.ts'

/** Which of several daemons leads, as the test says. */
export function leaderAmong(first: string) {
  let leading = first
  return {
    lead: (name: string) => {
      leading = name
    },
    of: (name: string, db: Db): Leadership => ({
      get isLeader() {
        return leading === name
      },
      check: () => {
        if (leading !== name) throw new BrokerError('NOT_LEADER')
      },
      claim: () => (leading === name ? sql`select 1 as epoch` : sql`select 1 as epoch where 1 = 0`).compile(db),
    }),
  }
}
