import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  useParams,
} from '@tanstack/react-router'
import type { ComponentType } from 'react'
import { parseSearch, stringifySearch } from './data/search.ts'
import { Frame } from './parts/frame.tsx'
import { Message } from './parts/message.tsx'
import { ScreenBoundary } from './parts/screen-boundary.tsx'
import { type Screen, screens } from './routes.ts'
import { words } from './words/en.ts'

const root = createRootRoute({
  component: () => (
    <ScreenBoundary>
      <Outlet />
    </ScreenBoundary>
  ),
  notFoundComponent: () => <Message title={words.noSuchPage} />,
})
const framed = createRoute({ getParentRoute: () => root, id: 'framed', component: Frame })

/** Each screen is loaded when it is first opened. */
const routes = Object.entries(screens).map(([address, { load, isBare = false }]) =>
  createRoute({
    getParentRoute: () => (isBare ? root : framed) as typeof root,
    path: address.replaceAll(':', '$'),
    component: lazyRouteComponent(async () => ({ default: withParams((await loadOnce(load)).default) })),
  }),
)
const bare = routes.filter((_, i) => Object.values(screens)[i]?.isBare)
const withMenu = routes.filter((route) => !bare.includes(route))

export const router = createRouter({
  routeTree: root.addChildren([framed.addChildren(withMenu), ...bare]),
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  scrollRestoration: true,
})

function withParams(Shown: ComponentType<{ readonly params: Readonly<Record<string, string>> }>): ComponentType {
  return () => <Shown params={useParams({ strict: false }) as Readonly<Record<string, string>>} />
}

const reloadedKey = 'sallyport.reloaded'

/** After an upgrade of the daemon the files that this page names are gone: a reload gets the new ones. */
async function loadOnce(load: () => Promise<Screen>): Promise<Screen> {
  try {
    const screen = await load()
    sessionStorage.removeItem(reloadedKey)
    return screen
  } catch (error) {
    if (sessionStorage.getItem(reloadedKey) !== null) throw error
    sessionStorage.setItem(reloadedKey, '1')
    location.reload()
    return await new Promise<never>(() => {})
  }
}
