/**
 * All tables. Each feature adds its own by declaration merging, in the file that describes them, and queries no other's.
 * Portable to both stores: `text`, `integer` (booleans 0/1), `bigint` for epoch milliseconds, JSON as `text`, `blob` for sealed values.
 */
export interface Database {
  settings: { key: string; value: string }
}
