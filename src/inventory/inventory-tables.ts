/** Tables of src/inventory; made in src/store/migrations/0014-inventory.ts and 0015-risk.ts. */
export interface InventoryTables {
  /** One for each resource that was found. A pass that finds the same again writes none. */
  discovered: {
    /** Of the resource. */
    id: string
    scope: string
    kind: string
    partition: string
    organization: string | null
    account: string | null
    region: string | null
    /** JSON. */
    tags: string
    /** JSON. */
    attributes: string
    first_seen_at: number
    /** When it was last written that it is there: while it is, the last good pass of the scope has seen it too. */
    last_seen_at: number
    /** Good passes in a row without it. */
    missing_passes: number
    /** JSON, what was found about it; null: nothing. */
    risk: string | null
    mac: string
  }
  /** How the readings of one account went, of all its units together: there are too many for a row each. It gives nothing, and has no MAC. */
  inventory_accounts: {
    account: string
    /** JSON: what is known of its units and regions. */
    units: string
    /** By a person, and not done yet. */
    requested_at: number | null
    written_at: number
  }
  /** One for each part of the organization that is read in one pass. It gives nothing, and has no MAC. */
  inventory_scopes: {
    scope: string
    /** Of which it was read last. */
    organization: string | null
    /** The last pass that saw all of it; written at most once an hour where nothing else changes. */
    good_at: number | null
    tried_at: number | null
    /** By a person, and not done yet. */
    requested_at: number | null
    /** Of the last pass, in words; null: it was good. */
    error: string | null
    /** What to do about it. */
    fix: string | null
  }
}

declare module '../store/schema.ts' {
  interface Database extends InventoryTables {}
}

export type DiscoveredRow = InventoryTables['discovered']
export type AccountRow = InventoryTables['inventory_accounts']
export type ScopeRow = InventoryTables['inventory_scopes']
