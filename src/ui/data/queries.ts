import {
  QueryClient,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import type { Ask } from '../../contract/ask.ts'
import type { Answer, Input, JsonKey } from '../../contract/routes.ts'
import { call } from './call.ts'
import { Problem, toProblem } from './problem.ts'

/** What changes together; the broker tells which (live.ts). */
export type Topic = 'requests' | 'grants' | 'sessions' | 'resources' | 'me' | 'audit' | 'people' | 'setup' | 'tokens'

/** What comes to nothing by being asked again. */
const lasting = (error: unknown) => error instanceof Problem && error.code !== 'UNREACHABLE'

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 10_000, retry: (failures, error) => failures < 2 && !lasting(error) },
    mutations: { retry: false },
  },
})

export const meQuery = queryOptions({ queryKey: ['me'], queryFn: () => call('GET /api/v1/me'), staleTime: 60_000 })

export function useMe() {
  return useQuery(meQuery).data
}

/** One answer of the API. @param options.isOff nothing is asked @param options.againMs when to ask once more; false: not by time */
export function useAnswer<K extends JsonKey>(
  topic: Topic,
  key: K,
  ask: NonNullable<Ask<K>[0]>,
  { isOff = false, againMs }: { readonly isOff?: boolean; againMs?(answer: Answer<K>): number | false } = {},
) {
  return useQuery<Answer<K>, Problem>({
    queryKey: [topic, key, ask],
    queryFn: () => call(key, ...([ask] as unknown as Ask<K>)).catch(rethrow),
    enabled: !isOff,
    refetchInterval: ({ state: { data } }) => (data === undefined || !againMs ? false : againMs(data)),
  })
}

type ListKey =
  | 'GET /api/v1/resources'
  | 'GET /api/v1/requests'
  | 'GET /api/v1/grants'
  | 'GET /api/v1/sessions'
  | 'GET /api/v1/audit/events'
  | 'GET /api/v1/principals'
  | 'GET /api/v1/validations/subjects'
  | 'GET /api/v1/tokens'
  | 'GET /api/v1/connect-tokens'
  | 'GET /api/v1/service-accounts'
  | 'GET /api/v1/pushes'
  | 'GET /api/v1/pushes/unrecorded'
  | 'GET /api/v1/identity-center/links'
export type Item<K extends ListKey> = Answer<K> extends { readonly items: readonly (infer One)[] } ? One : never
type Filters<K extends ListKey> = Omit<Input<K, 'query'>, 'limit' | 'cursor'>

export interface Listed<T> {
  readonly items: readonly T[]
  readonly total: number
  readonly capped: boolean
  /** Undefined: these are all. */
  readonly more: (() => void) | undefined
  readonly isLoading: boolean
  readonly isLoadingMore: boolean
  readonly problem: Problem | undefined
  reload(): void
}

const pageSize = 100

/** A list, page by page. */
export function useList<K extends ListKey>(topic: Topic, key: K, filters: Filters<K>): Listed<Item<K>> {
  const query = useInfiniteQuery({
    queryKey: [topic, key, filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) => {
      const query = { ...filters, limit: pageSize, ...(pageParam === undefined ? {} : { cursor: pageParam }) }
      return await call(key, ...([{ query }] as unknown as Ask<K>)).catch(rethrow)
    },
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: (before) => before,
  })
  const pages = (query.data?.pages ?? []) as readonly Answer<K>[]
  const last = pages.at(-1)
  return {
    items: pages.flatMap(({ items }) => items as readonly Item<K>[]),
    total: last?.total ?? 0,
    capped: last?.capped ?? false,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
    isLoading: query.isPending,
    isLoadingMore: query.isFetchingNextPage,
    problem: query.error === null ? undefined : toProblem(query.error),
    reload: () => void query.refetch(),
  }
}

/** A call that changes something: nothing is shown as done before the broker says so. */
export function useAct<K extends JsonKey>(key: K, topics: readonly Topic[]) {
  const client = useQueryClient()
  return useMutation<Answer<K>, Problem, Ask<K>[0]>({
    mutationFn: (ask) => call(key, ...([ask] as unknown as Ask<K>)).catch(rethrow),
    onSettled: () => {
      for (const topic of new Set([...topics, 'me'])) void client.invalidateQueries({ queryKey: [topic] })
    },
  })
}

function rethrow(error: unknown): never {
  throw toProblem(error)
}
