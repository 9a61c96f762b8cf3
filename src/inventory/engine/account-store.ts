import type { CompiledQuery } from 'kysely'
import { pages } from '../../store/pages.ts'
import type { Db } from '../../store/store.ts'
import type { AccountRow } from '../inventory-tables.ts'
import { neverRead, type Outcome, type UnitRecord } from './unit.ts'

/** What is kept of one account between two runs of a daemon. */
export interface AccountRecord {
  readonly account: string
  /** That are on, as they were read last; null: never. */
  readonly regions: readonly string[] | null
  /** By their names; those that were never read are left out. */
  readonly units: ReadonlyMap<string, UnitRecord>
  /** Epoch milliseconds. */
  readonly writtenAt: number
  /** By a person, and not done yet. */
  readonly requestedAt: number | null
}

const pageSize = 200

/** Queries of the table `inventory_accounts`. */
export function createAccountStore(db: Db) {
  return {
    async all(): Promise<AccountRecord[]> {
      const found: AccountRecord[] = []
      const page = (after: string) =>
        db
          .selectFrom('inventory_accounts')
          .selectAll()
          .where('account', '>', after)
          .orderBy('account')
          .limit(pageSize)
          .execute()
      for await (const rows of pages('', ({ account }: AccountRow) => account, page)) found.push(...rows.map(fromRow))
      return found
    },
    /** What people asked for since, by account. */
    async requested(): Promise<ReadonlyMap<string, number>> {
      const rows = await db
        .selectFrom('inventory_accounts')
        .select(['account', 'requested_at'])
        .where('requested_at', 'is not', null)
        .execute()
      return new Map(rows.map(({ account, requested_at: at }) => [account, at ?? 0]))
    },
    /** @param doneUntil a request that came later stays */
    putting({ account, regions, units, writtenAt }: Omit<AccountRecord, 'requestedAt'>, doneUntil: number | null) {
      const row = { units: JSON.stringify({ regions, units: unitsToJson(units) }), written_at: writtenAt }
      return db
        .insertInto('inventory_accounts')
        .values({ account, ...row, requested_at: null })
        .onConflict((conflict) =>
          conflict.column('account').doUpdateSet(({ eb, ref }) => ({
            ...row,
            requested_at: eb
              .case()
              .when('inventory_accounts.requested_at', '<=', doneUntil ?? -1)
              .then(null)
              .else(ref('inventory_accounts.requested_at'))
              .end(),
          })),
        )
        .compile()
    },
    /** Of accounts in which nothing is read. */
    clearing: (accounts: readonly string[]): CompiledQuery =>
      db.updateTable('inventory_accounts').set({ requested_at: null }).where('account', 'in', accounts).compile(),
    removing: (account: string): CompiledQuery =>
      db.deleteFrom('inventory_accounts').where('account', '=', account).compile(),
    /**
     * Asks for an account, or for all: those that have a row, and those that were not read yet.
     * @param known that are to be read @returns how many were asked for
     */
    async request(at: number, known: readonly string[], only?: string): Promise<number> {
      const row = { units: JSON.stringify({ regions: null, units: {} }), written_at: 0, requested_at: null }
      const wanted = known.filter((account) => (only ?? account) === account)
      for (let i = 0; i < wanted.length; i += pageSize)
        await db
          .insertInto('inventory_accounts')
          .values(wanted.slice(i, i + pageSize).map((account) => ({ account, ...row })))
          .onConflict((conflict) => conflict.column('account').doNothing())
          .execute()
      const update = db.updateTable('inventory_accounts').set({ requested_at: at })
      const done = await (only === undefined ? update : update.where('account', '=', only)).executeTakeFirst()
      return Number(done.numUpdatedRows)
    },
  }
}

export type AccountStore = ReturnType<typeof createAccountStore>

/** Members that say nothing are left out: most units have no error. */
function unitsToJson(units: ReadonlyMap<string, UnitRecord>): object {
  const short = (record: UnitRecord) =>
    Object.fromEntries(Object.entries(record).filter(([, value]) => value || value === ''))
  return Object.fromEntries([...units].map(([name, record]) => [name, short(record)]))
}

function fromRow({ account, units, written_at: writtenAt, requested_at: requestedAt }: AccountRow): AccountRecord {
  const parsed = parse(units)
  return { account, writtenAt, requestedAt, ...parsed }
}

/** What is not as it was written counts as never read. */
function parse(text: string): Pick<AccountRecord, 'regions' | 'units'> {
  const units = new Map<string, UnitRecord>()
  let value: { regions?: unknown; units?: Record<string, Partial<UnitRecord>> }
  try {
    value = JSON.parse(text)
  } catch {
    return { regions: null, units }
  }
  for (const [name, record] of Object.entries(value.units ?? {}))
    if (outcomes.includes(record.outcome as Outcome)) units.set(name, { ...neverRead, ...record })
  const regions = Array.isArray(value.regions) ? value.regions.filter((one) => typeof one === 'string') : null
  return { regions, units }
}

const outcomes: readonly Outcome[] = ['ok', 'denied', 'disabled', 'not-onboarded', 'throttled', 'error']
