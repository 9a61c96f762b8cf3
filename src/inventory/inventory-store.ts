import type { CompiledQuery } from 'kysely'
import { sortedJson, sortedMembers } from '../audit/canonical.ts'
import type { Resource } from '../catalog/resource.ts'
import type { RiskFact } from '../catalog/risk.ts'
import { pages } from '../store/pages.ts'
import { type Macs, type RowProblem, signedRows, unsignedRows } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { DiscoveredRow, InventoryTables, ScopeRow } from './inventory-tables.ts'

/** A resource that was found, with when. */
export interface Discovered {
  readonly resource: Resource
  readonly scope: string
  /** Epoch milliseconds. */
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  /** Good passes in a row without it. */
  readonly missingPasses: number
}

const { signRow, isSigned } = signedRows<Pick<InventoryTables, 'discovered'>>({ discovered: [] }, sortedMembers)

const pageSize = 500

/** Queries of src/inventory. A row that the broker did not write counts as not there. */
export function createInventoryStore(db: Db, keyring: Macs) {
  const page = (after: string, limit: number) =>
    db.selectFrom('discovered').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute()
  const known = (rows: readonly DiscoveredRow[]) =>
    rows.filter((row) => isSigned(keyring, 'discovered', row)).map(fromRow)
  return {
    async all(): Promise<Discovered[]> {
      const found: Discovered[] = []
      for await (const rows of pages('', idOf, (after) => page(after, pageSize))) found.push(...known(rows))
      return found
    },
    async ofScope(scope: string): Promise<Discovered[]> {
      const found: Discovered[] = []
      for (let after = '', rows: DiscoveredRow[] = []; ; after = rows.at(-1)?.id ?? '') {
        rows = await db
          .selectFrom('discovered')
          .selectAll()
          .where('scope', '=', scope)
          .where('id', '>', after)
          .orderBy('id')
          .limit(pageSize)
          .execute()
        found.push(...known(rows))
        if (rows.length < pageSize) return found
      }
    },
    /** Of which there is at least one row. */
    async scopeNames(): Promise<string[]> {
      const rows = await db.selectFrom('discovered').select('scope').distinct().execute()
      return rows.map(({ scope }) => scope)
    },
    async byIds(ids: readonly string[]): Promise<Discovered[]> {
      if (ids.length === 0) return []
      return known(await db.selectFrom('discovered').selectAll().where('id', 'in', ids).execute())
    },
    /** Also over a row that the broker did not write. */
    putting(one: Discovered): CompiledQuery {
      const row = signRow(keyring, 'discovered', toRow(one))
      const { id: _, ...rest } = row
      return db
        .insertInto('discovered')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(rest))
        .compile()
    },
    removing: (ids: readonly string[]): CompiledQuery => db.deleteFrom('discovered').where('id', 'in', ids).compile(),

    scopes: (): Promise<ScopeRow[]> => db.selectFrom('inventory_scopes').selectAll().orderBy('scope').execute(),
    scope: (name: string): Promise<ScopeRow | undefined> =>
      db.selectFrom('inventory_scopes').selectAll().where('scope', '=', name).executeTakeFirst(),
    /** @param since a request that came later stays */
    puttingScope({ scope, ...members }: Omit<ScopeRow, 'requested_at'>, since: number): CompiledQuery {
      return db
        .insertInto('inventory_scopes')
        .values({ scope, ...members, requested_at: null })
        .onConflict((conflict) =>
          conflict.column('scope').doUpdateSet(({ eb, ref }) => ({
            ...members,
            requested_at: eb
              .case()
              .when('inventory_scopes.requested_at', '>', since)
              .then(ref('inventory_scopes.requested_at'))
              .else(null)
              .end(),
          })),
        )
        .compile()
    },
    removingScope: (scope: string): CompiledQuery =>
      db.deleteFrom('inventory_scopes').where('scope', '=', scope).compile(),
    async request(scope: string, at: number): Promise<void> {
      const empty = { organization: null, good_at: null, tried_at: null, error: null, fix: null }
      await db
        .insertInto('inventory_scopes')
        .values({ scope, ...empty, requested_at: at })
        .onConflict((conflict) => conflict.column('scope').doUpdateSet({ requested_at: at }))
        .execute()
    },
    /** For `audit verify`. */
    checkRows: (): AsyncIterable<RowProblem> =>
      unsignedRows('discovered resource', page, (row) => isSigned(keyring, 'discovered', row)),
  }
}

export type InventoryStore = ReturnType<typeof createInventoryStore>

function idOf({ id }: { readonly id: string }): string {
  return id
}

function toRow({ resource, scope, firstSeenAt, lastSeenAt, missingPasses }: Discovered): Omit<DiscoveredRow, 'mac'> {
  const { id, kind, partition, organization, account, region, tags, attributes, risk = [] } = resource
  return {
    ...{ id, scope, kind, partition, organization, account, region },
    tags: sortedJson(tags),
    attributes: sortedJson(attributes),
    first_seen_at: firstSeenAt,
    last_seen_at: lastSeenAt,
    missing_passes: missingPasses,
    risk: risk.length === 0 ? null : JSON.stringify(risk),
  }
}

function fromRow(row: DiscoveredRow): Discovered {
  const { id, kind, partition, organization, account, region, scope } = row
  return {
    resource: {
      ...{ id, kind, partition, organization, account, region },
      name: id.slice(id.lastIndexOf('/') + 1),
      tags: JSON.parse(row.tags) as Resource['tags'],
      attributes: JSON.parse(row.attributes) as Resource['attributes'],
      source: 'discovery',
      ...(row.risk === null ? {} : { risk: JSON.parse(row.risk) as readonly RiskFact[] }),
    },
    scope,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    missingPasses: row.missing_passes,
  }
}
