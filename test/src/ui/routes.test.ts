import t from 'tap'
import { routes } from '../../../src/contract/routes.ts'
import { screens } from '../../../src/ui/routes.ts'

/** Pages that the server makes itself. */
const ownPages = ['/device', '/cli/confirm', '/logout', '/login', '/callback/oidc', '/cli/authorize']

t.test('the page has a screen for each address that the server sends it for, and for no other', async (t) => {
  const served = Object.entries(routes).flatMap(([key, { answer }]) => {
    const [method, path = ''] = key.split(' ')
    const isPage = method === 'GET' && Object.values(answer).some((body) => body === 'html')
    return isPage && !ownPages.includes(path) ? [path] : []
  })
  t.same(Object.keys(screens).sort(), served.sort())
})

t.test('addresses of screens to come are no one’s', async (t) => {
  const taken = Object.keys(routes).flatMap((key) => key.split(' ')[1] ?? [])
  for (const address of ['/reviews', '/risk'])
    t.same(
      [...taken, ...Object.keys(screens)].filter((one) => one === address || one.startsWith(`${address}/`)),
      [],
      address,
    )
})
