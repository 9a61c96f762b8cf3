/** What the engine writes to, in memory: each write is counted, and takes no time. */
import type { CompiledQuery } from 'kysely'
import type { AuditEvent, AuditRecord, Beside } from '../../../src/audit/audit.ts'
import type { AccountRecord, AccountStore } from '../../../src/inventory/engine/account-store.ts'
import type { Discovered } from '../../../src/inventory/inventory-store.ts'
import type { ScopeRow } from '../../../src/inventory/inventory-tables.ts'
import type { SyncDeps } from '../../../src/inventory/sync.ts'

type Write = () => void

/** A statement that does something here when it is run. */
const statement = (run: Write) => ({ run }) as unknown as CompiledQuery
const execute = (writes: readonly CompiledQuery[]) => {
  for (const write of writes) (write as unknown as { run: Write }).run()
}

export class Kept {
  readonly #rows = new Map<string, Discovered>()
  readonly #byScope = new Map<string, Map<string, Discovered>>()
  readonly #scopes = new Map<string, ScopeRow>()
  readonly #accounts = new Map<string, AccountRecord>()
  readonly writes = { rows: 0, events: 0, accounts: 0, scopes: 0 }
  onEvent: (record: Pick<AuditRecord, 'type' | 'seq' | 'fields'>) => void = () => {}

  get size(): number {
    return this.#rows.size
  }

  readonly store: SyncDeps['store'] = {
    ofScope: async (scope) => [...(this.#byScope.get(scope)?.values() ?? [])],
    byIds: async (ids) => ids.flatMap((id) => this.#rows.get(id) ?? []),
    scopeNames: async () => [...this.#byScope.keys()],
    putting: (one) =>
      statement(() => {
        this.writes.rows += 1
        this.#rows.set(one.resource.id, one)
        const among = this.#byScope.get(one.scope) ?? new Map<string, Discovered>()
        this.#byScope.set(one.scope, among.set(one.resource.id, one))
      }),
    removing: (ids) =>
      statement(() => {
        for (const id of ids) {
          this.writes.rows += 1
          this.#byScope.get(this.#rows.get(id)?.scope ?? '')?.delete(id)
          this.#rows.delete(id)
        }
      }),
    scopes: async () => [...this.#scopes.values()],
    puttingScope: (row) =>
      statement(() => {
        this.writes.scopes += 1
        this.#scopes.set(row.scope, { ...row, requested_at: null })
      }),
    removingScope: (scope) => statement(() => void this.#scopes.delete(scope)),
  }

  readonly accountStore: AccountStore = {
    all: async () => [...this.#accounts.values()],
    requested: async () => new Map(),
    putting: (record) =>
      statement(() => {
        this.writes.accounts += 1
        this.#accounts.set(record.account, { ...record, requestedAt: null })
      }),
    clearing: () => statement(() => {}),
    removing: (account) => statement(() => void this.#accounts.delete(account)),
    request: async () => 0,
  }

  readonly audit = {
    append: async (event: AuditEvent, beside?: Beside): Promise<AuditRecord> => {
      this.writes.events += 1
      if (beside && 'writes' in beside) execute(beside.writes ?? [])
      const record = { ...event, seq: this.writes.events, at: 0, hash: '' }
      this.onEvent(record)
      return record
    },
  }

  readonly transact: SyncDeps['transact'] = async (_, rest) => execute(rest([[{}]]))
}
