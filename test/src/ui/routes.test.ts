import t from 'tap'
import { uiRoutes } from '../../../src/contract/ui.ts'
import { findScreen, screens } from '../../../src/ui/routes.ts'

t.test('the page has no screen for an address that the server does not send it for', async (t) => {
  const served = Object.entries(uiRoutes).flatMap(([key, { answer }]) =>
    Object.values(answer).some((body) => body === 'html') ? [key.replace('GET ', '')] : [],
  )
  t.same(
    Object.keys(screens).filter((address) => !served.includes(address)),
    [],
  )
})

t.test('an address is found with its parts', async (t) => {
  t.match(findScreen('/terminal/grt_1'), { params: { grant: 'grt_1' } })
  for (const path of ['/', '/terminal', '/terminal/grt_1/more', '/terminals/grt_1'])
    t.equal(findScreen(path), undefined, path)
})
