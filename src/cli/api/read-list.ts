import type { Answer, Input, JsonKey } from '../../contract/routes.ts'
import type { ApiClient } from './api-client.ts'

/** Routes that list. */
type ListKey = { [K in JsonKey]: Answer<K> extends Listed<unknown> ? K : never }[JsonKey]
type ItemOf<K extends ListKey> = Answer<K> extends Listed<infer Item> ? Item : never
type Filters<K extends ListKey> = { readonly [M in keyof Input<K, 'query'>]?: Input<K, 'query'>[M] | undefined }

/** As `--json` prints it. */
export interface Listed<Item> {
  readonly items: readonly Item[]
  /** Null when nothing was left out. */
  readonly next: string | null
  readonly total: number
  /** There may be more than `total`. */
  readonly capped: boolean
}

export const usualLimit = 100
const mostAtOnce = 1000

/** As many as were asked for, page by page. */
export async function readList<K extends ListKey>(
  api: ApiClient,
  key: K,
  query: Filters<K>,
  { all, limit = all ? Number.POSITIVE_INFINITY : usualLimit }: { readonly all?: boolean; readonly limit?: number },
): Promise<Listed<ItemOf<K>>> {
  const items: ItemOf<K>[] = []
  let next: string | null = null
  for (;;) {
    const page = {
      ...query,
      limit: Math.min(limit - items.length, mostAtOnce),
      ...(next === null ? {} : { cursor: next }),
    }
    const answer = (await api.call(key, { query: page } as never)) as Listed<ItemOf<K>>
    items.push(...answer.items)
    if (answer.next !== null && answer.next === next) throw new Error('the broker gave the same page twice')
    next = answer.next
    if (next === null || items.length >= limit) return { items, next, total: answer.total, capped: answer.capped }
  }
}
