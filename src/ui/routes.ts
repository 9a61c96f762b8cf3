import type { ComponentType } from 'react'

export interface Screen {
  readonly default: ComponentType<{ readonly params: Readonly<Record<string, string>> }>
}

interface ScreenAt {
  readonly load: () => Promise<Screen>
  /** In a window of its own, without the menu. */
  readonly isBare?: true
}

/** The page's addresses, as the server has them (src/contract/ui.ts). */
export const screens: Readonly<Record<string, ScreenAt>> = {
  '/': { load: () => import('./screens/home/home-screen.tsx') },
  '/catalog': { load: () => import('./screens/catalog/catalog-screen.tsx') },
  '/requests': { load: () => import('./screens/requests/requests-screen.tsx') },
  '/requests/:id': { load: () => import('./screens/requests/request-screen.tsx') },
  '/grants': { load: () => import('./screens/grants/grants-screen.tsx') },
  '/grants/:id': { load: () => import('./screens/grants/grant-screen.tsx') },
  '/sessions': { load: () => import('./screens/sessions/sessions-screen.tsx') },
  '/sessions/:id': { load: () => import('./screens/sessions/session-screen.tsx') },
  '/audit': { load: () => import('./screens/audit/audit-screen.tsx') },
  '/people': { load: () => import('./screens/people/people-screen.tsx') },
  '/sessions/:id/watch': { load: () => import('./screens/sessions/watch-screen.tsx') },
  '/recordings': { load: () => import('./screens/recordings/search-screen.tsx') },
  '/recordings/:id': { load: () => import('./screens/recordings/recording-screen.tsx') },
  '/tokens': { load: () => import('./screens/tokens/tokens-screen.tsx') },
  '/why': { load: () => import('./screens/why/why-screen.tsx') },
  '/identity-center': { load: () => import('./screens/identity-center/identity-center-screen.tsx') },
  '/rules': { load: () => import('./screens/rules/rules-screen.tsx') },
  '/setup': { load: () => import('./screens/setup/setup-screen.tsx') },
  '/terminal/:grant': { load: () => import('./screens/terminal/terminal-screen.tsx'), isBare: true },
}
