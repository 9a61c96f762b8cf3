import { type CompiledQuery, sql } from 'kysely'
import type { Db } from '../store/store.ts'

/** Of several daemons on one store, whether this one does what an installation does once. */
export interface Leadership {
  /** May turn false at any time: another daemon leads once this one has not renewed in time. */
  readonly isLeader: boolean
  /** Called right before each effect outside the store. @throws BrokerError NOT_LEADER */
  check(): void
  /** For the claims of an event: returns one row while this daemon leads. */
  claim(): CompiledQuery
}

/** On a store that one daemon has for itself. */
export function soleLeader(db: Db): Leadership {
  const claim = sql`select 1 as epoch`.compile(db)
  return { isLeader: true, check: () => {}, claim: () => claim }
}
