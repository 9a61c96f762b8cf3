import type { ComponentType } from 'react'

export interface Screen {
  readonly default: ComponentType<{ readonly params: Readonly<Record<string, string>> }>
}

/** The page's addresses, as the server has them (src/contract/ui.ts). Each screen is loaded when it is first opened. */
export const screens: Readonly<Record<string, () => Promise<Screen>>> = {
  '/terminal/:grant': () => import('./screens/terminal/terminal-screen.tsx'),
}

export interface FoundScreen {
  readonly load: () => Promise<Screen>
  readonly params: Readonly<Record<string, string>>
}

export function findScreen(path: string): FoundScreen | undefined {
  for (const [address, load] of Object.entries(screens)) {
    const params = matchPath(address.split('/'), path.split('/'))
    if (params) return { load, params }
  }
  return undefined
}

function matchPath(address: readonly string[], path: readonly string[]): Record<string, string> | undefined {
  if (address.length !== path.length) return undefined
  const params: Record<string, string> = {}
  for (const [at, part] of address.entries()) {
    const given = path[at] ?? ''
    if (part.startsWith(':')) params[part.slice(1)] = given
    else if (part !== given) return undefined
  }
  return params
}
