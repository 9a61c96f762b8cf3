import type { Input, RouteKey } from './routes.ts'

/**
 * The input of a route: `params`, `query` and `body`, as far as the contract has them. Optional members may be undefined.
 * May be omitted where nothing is required.
 */
export type Ask<K extends RouteKey> = Nothing extends Parts<K> ? [Parts<K>?] : [Parts<K>]

type Nothing = Record<never, never>
type Part = 'params' | 'query' | 'body'
type Parts<K extends RouteKey> = { readonly [P in Part as Necessary<K, P>]: Given<Input<K, P>> } & {
  readonly [P in Part as Voluntary<K, P>]?: Given<Input<K, P>>
}
type Necessary<K extends RouteKey, P extends Part> = Nothing extends Input<K, P> ? never : Known<K, P>
type Voluntary<K extends RouteKey, P extends Part> = Nothing extends Input<K, P> ? Known<K, P> : never
type Known<K extends RouteKey, P extends Part> = [Input<K, P>] extends [undefined] ? never : P
type Given<T> = { readonly [M in keyof T]: Nothing extends Pick<T, M> ? T[M] | undefined : T[M] }

interface AnyAsk {
  readonly params?: object
  readonly query?: object
  readonly body?: object | null
}

/** The HTTP request for a route of the contract. `body` is JSON text; undefined where the method takes none. */
export function toRequest(key: RouteKey, ask: AnyAsk = {}): { method: string; path: string; body: string | undefined } {
  const [method = '', template = ''] = key.split(' ')
  const params = new Map<string, unknown>(Object.entries(ask.params ?? {}))
  const path = template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params.get(name))))
  const query = toQuery(ask.query ?? {})
  const body = method === 'POST' ? JSON.stringify(ask.body ?? {}) : undefined
  return { method, path: query === '' ? path : `${path}?${query}`, body }
}

/** A list becomes one pair for each item; what is undefined is left out. */
function toQuery(query: object): string {
  const pairs = Object.entries(query).flatMap(([name, value]: [string, unknown]) =>
    [value].flat().flatMap((one): [string, string][] => (one === undefined ? [] : [[name, String(one)]])),
  )
  return new URLSearchParams(pairs).toString()
}
