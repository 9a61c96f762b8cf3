import { useNavigate, useSearch } from '@tanstack/react-router'

/** The query of the page's address, as text: what a screen does not know it leaves alone. */
export type SearchText = Readonly<Record<string, string>>

export function parseSearch(text: string): SearchText {
  return Object.fromEntries(new URLSearchParams(text))
}

export function stringifySearch(search: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(search).flatMap(([key, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[key, String(value)]],
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

/** Filters live in the address: a reload, the way back and a link show the same. */
export function useFilters() {
  const search = useSearch({ strict: false }) as SearchText
  const navigate = useNavigate()
  return {
    search,
    /** @param changes an empty text takes one away */
    set: (changes: SearchText) =>
      void navigate({
        to: '.',
        search: { ...search, ...changes } as never,
        state: true,
        replace: true,
        resetScroll: false,
      }),
    clear: () => void navigate({ to: '.', search: {} as never, replace: true }),
  }
}
