import './shims.ts'
import './styles/page.css'
import { lazy, StrictMode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { Message } from './parts/message.tsx'
import { ScreenBoundary } from './parts/screen-boundary.tsx'
import { findScreen, type Screen } from './routes.ts'
import { words } from './words/en.ts'

const root = document.querySelector('#root')
const found = findScreen(location.pathname)
if (root) createRoot(root).render(<StrictMode>{found ? open(found) : <Message title={words.noSuchPage} />}</StrictMode>)

function open({ load, params }: NonNullable<typeof found>) {
  const Opened = lazy(() => loadOnce(load))
  return (
    <ScreenBoundary>
      <Suspense fallback={null}>
        <Opened params={params} />
      </Suspense>
    </ScreenBoundary>
  )
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
