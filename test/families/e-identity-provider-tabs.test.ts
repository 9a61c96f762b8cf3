import t, { type Test } from 'tap'
import { createPerson } from '../sandbox/person.ts'
import { startLoginServer } from '../src/http/login-setup.ts'
import { startFakeProvider } from '../src/identity/fake-provider.ts'

async function startTabs(t: Test) {
  const provider = await startFakeProvider(t)
  const server = await startLoginServer(t, provider)
  const browser = createPerson('alice')
  /** Opens a tab. @returns the way back from the provider, which the person has not gone yet */
  const open = async (path = '/login') => {
    const start = await browser.fetch(`${server.url}${path}`)
    const back = await browser.fetch(start.headers.get('location') ?? '')
    return { back: back.headers.get('location') ?? '', nonce: start.headers.get('location') ?? '' }
  }
  /** The double remembers the nonce of the last request; it is asked once more for this tab's. */
  const finish = async ({ back, nonce }: { back: string; nonce: string }) => {
    await fetch(nonce, { redirect: 'manual' })
    return await browser.fetch(back)
  }
  return { ...server, browser, open, finish }
}

t.test('E5: two tabs begin to sign in, and both finish, in either order', async (t) => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const tabs = await startTabs(t)
    const opened = [await tabs.open('/login?return_to=/%3Fa=1'), await tabs.open('/login?return_to=/%3Fa=2')]
    for (const index of order) {
      const tab = opened[index]
      if (!tab) throw new Error('no tab')
      const response = await tabs.finish(tab)
      t.equal(response.status, 303)
      t.equal(response.headers.get('location'), `${tabs.url}/?a=${index + 1}`, 'each goes where it was going')
    }
    t.equal(tabs.logins.begun.length, 2)
    t.same(tabs.logins.failures, [])
  }
})

t.test('E5: a command, a device and a browser sign in side by side', async (t) => {
  const tabs = await startTabs(t)
  const command = `port=40000&state=${'s'.repeat(43)}&challenge=${'c'.repeat(43)}`
  const web = await tabs.open()
  const cli = await tabs.open(`/api/v1/cli/authorize?${command}`)
  const device = await tabs.open('/device')
  t.equal((await tabs.finish(web)).headers.get('location'), `${tabs.url}/`)
  t.equal((await tabs.finish(cli)).headers.get('location'), '/cli/confirm')
  t.equal((await tabs.finish(device)).headers.get('location'), '/device')
})

t.test('E5: a callback that nobody began ends no sign-in that is under way', async (t) => {
  const tabs = await startTabs(t)
  const tab = await tabs.open()
  for (const state of ['x'.repeat(43), '', 'x', '../../x', 'y'.repeat(5000)])
    t.equal((await tabs.browser.fetch(`${tabs.url}/callback/oidc?code=c0de&state=${state}`)).status, 401)
  t.equal((await tabs.browser.fetch(`${tabs.url}/callback/oidc?error=access_denied`)).status, 401)
  t.equal((await tabs.finish(tab)).status, 303)
  t.equal((await tabs.finish(tab)).status, 401, 'and each works once')
})

t.test('E5: a hundred abandoned tabs stay within what a server accepts as headers', async (t) => {
  const tabs = await startTabs(t)
  for (let i = 0; i < 100; i++) {
    const start = await tabs.browser.fetch(`${tabs.url}/login?return_to=/%3F${'a'.repeat(i * 10)}`)
    if (start.status !== 303) throw new Error(`tab ${i}: ${start.status}`)
  }
  const last = await tabs.open()
  t.equal((await tabs.finish(last)).status, 303)
})
