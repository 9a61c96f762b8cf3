import type { CompiledQuery } from 'kysely'
import type { AuditType } from '../contract/audit-types.ts'

export { type AuditType, auditTypes } from '../contract/audit-types.ts'

export type AuditValue = string | number | boolean | null | readonly string[]

/** One fact. `fields` hold ids, codes, digests, counts; anything personal or free text goes to `text`. */
export interface AuditEvent {
  readonly type: AuditType
  /** Principal id, or `system`. */
  readonly actor: string
  /** Stored in the chain and never erased. */
  readonly fields: Readonly<Record<string, AuditValue>>
  /** Names, addresses, reasons: stored beside the chain, which holds only a salted digest, so that erasure never breaks it. */
  readonly text?: Readonly<Record<string, string>>
}

export interface AuditRecord extends AuditEvent {
  /** 1, 2, 3 … without a gap. */
  readonly seq: number
  /** Epoch milliseconds. */
  readonly at: number
  /** Hex SHA-256. */
  readonly hash: string
}

/** Statements that are committed with an event; a plain list is of writes. */
export type Beside =
  | readonly CompiledQuery[]
  | {
      /**
       * Run first, in this order, each with `returning`: one that returns no row refuses the event, and nothing of it happens. So
       * what is decided on a row as it was read, and its event, is told only when the row is still so.
       */
      readonly claims?: readonly CompiledQuery[]
      readonly writes?: readonly CompiledQuery[]
    }

/** The interface of the audit log for the other parts. Built by `createAuditLog` (create-audit.ts). */
export interface AuditLog {
  /**
   * Resolves when the event is durable and chained. For what grants access: call it before the effect.
   * @param beside statements on the caller's own rows: in the same transaction, so that there is neither without the other
   * @throws BrokerError AUDIT_UNAVAILABLE, STALE when a claim was refused
   */
  append(event: AuditEvent, beside?: Beside): Promise<AuditRecord>
  /**
   * For what removes access (revoke, kill, lock, expiry, deny): call it after the effect. Never throws; when the log is
   * down the event goes to the reserved spool and is appended later, also after a restart. Of what a client can repeat at will
   * (denials, failed sign-ins) the first is written at once, the others once a minute as one event with a count: `times`.
   * @param beside as of {@link append}; on their own when the event goes to the spool. Not for what can be repeated
   * @param isPatient it may wait 50 ms for another event to share a commit with; only with `beside`
   * @returns false when a claim was refused: there is no event
   */
  appendRemoval(event: AuditEvent, beside?: Beside, isPatient?: boolean): Promise<boolean>
  /**
   * Events still in the spool, oldest first, each with the id (`spooled`) that it has in the log, where it may be already. At start, their
   * owners re-apply what they find (`grant.revoked`, `principal.locked`).
   */
  spooled(): readonly AuditEvent[]
  /** Events from the chain, newest first. */
  search(query: AuditQuery): Promise<{ events: readonly AuditRecord[]; next: string | null }>
  /** Called for every event after it is durable, once and in order: this daemon's and, on a shared store, those of the others. */
  subscribe(listener: AuditListener): () => void
  /**
   * Resolves when everything has been told that any daemon had appended when this was called.
   * @throws BrokerError AUDIT_UNAVAILABLE, STORE_UNAVAILABLE
   */
  catchUp(): Promise<void>
}

export type AuditListener = (record: AuditRecord, from: Origin) => void

/** Who appended an event: this daemon, or another one; also this one, where its caller was told that it failed. */
export type Origin = 'here' | 'elsewhere'

export interface AuditQuery {
  readonly types?: readonly AuditType[]
  readonly actor?: string
  /** Any field with this value: a grant, session, request, principal or resource id. */
  readonly subject?: string
  /** Each of these as well. */
  readonly about?: readonly string[]
  readonly since?: number
  readonly until?: number
  /** From an earlier answer. */
  readonly cursor?: string
  /** 1 to 1000; default 100. */
  readonly limit?: number
}
