import { useLocation, useNavigate, useSearch } from '@tanstack/react-router'

/**
 * A text of this entry of the browser's history, which a reload and the way back keep. It is in no address: those are logged, and what is looked for in
 * recordings may be as confidential as they are.
 */
export function useKeptText() {
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const text = useLocation({ select: ({ state }) => (state as { readonly kept?: string }).kept ?? '' })
  return {
    text,
    /** @param changes of the filters in the address */
    keep: (kept: string, changes: Readonly<Record<string, string>> = {}) =>
      void navigate({
        to: '.',
        search: { ...search, ...changes } as never,
        state: (before) => ({ ...before, kept }),
        replace: true,
        resetScroll: false,
      }),
  }
}
