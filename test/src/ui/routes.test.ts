import t from 'tap'
import { uiRoutes } from '../../../src/contract/ui.ts'
import { findScreen, screens } from '../../../src/ui/routes.ts'

t.test('the page has a screen for each address that the server sends it for, and for no other', async (t) => {
  const served = Object.entries(uiRoutes).flatMap(([key, { answer }]) =>
    Object.values(answer).some((body) => body === 'html') ? [key.replace('GET ', '')] : [],
  )
  t.same(Object.keys(screens).sort(), served.sort())
})

t.test('an address is found with its parts', async (t) => {
  t.match(findScreen('/terminal/grt_1'), { params: { grant: 'grt_1' } })
  for (const path of ['/', '/terminal', '/terminal/grt_1/more', '/terminals/grt_1'])
    t.equal(findScreen(path), undefined, path)
})
