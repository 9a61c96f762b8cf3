/** The page in Chromium: asked by one, decided by another, connected and taken away again, under the page's own policy all the time. */
import pg from 'pg'
import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { findBarriers, noAxe } from '../sandbox/accessibility.ts'
import { collectComplaints, noChromium, signInOn, startChromium } from '../sandbox/chromium.ts'
import { compareShot } from '../sandbox/shots.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

t.setTimeout(300_000)
const wide = { width: 1280, height: 800 }
const narrow = { width: 390, height: 844 }

t.test('the page', { skip: noChromium }, async (t) => {
  const closing = <T extends { close(): Promise<unknown> }>(started: T): T => {
    t.teardown(() => started.close())
    return started
  }
  const [company, browser] = await Promise.all([startCompany().then(closing), startChromium().then(closing)])
  const { url } = company.daemon
  const complaints: string[][] = []
  const personAt = async (viewport: typeof wide, colorScheme: 'light' | 'dark' = 'light'): Promise<BrowserContext> => {
    const context = await browser.newContext({ viewport, colorScheme })
    context.setDefaultTimeout(20_000)
    complaints.push(collectComplaints(context, url))
    return context
  }
  const open = async (context: BrowserContext, path: string, account?: string): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${url}${path}`)
    if (account !== undefined) await signInOn(page, account)
    return page
  }
  /** It looks as it did, and nothing on it keeps anyone out. */
  const look = async (t: Test, page: Page, name: string) => {
    const { differs, skipped } = await compareShot(page, name)
    if (skipped !== undefined) t.comment(`${name} is not compared: ${skipped}`)
    t.equal(differs, undefined)
    if (noAxe) t.comment(noAxe)
    else t.same(await findBarriers(page), [], name)
  }
  const [alice, bob, carol] = [await personAt(wide), await personAt(narrow), await personAt(wide, 'dark')]
  const hers = await open(alice, '/catalog?q=orders', 'alice')
  const his = await open(bob, '/requests', 'bob')

  await t.test(
    'a link leads through the sign-in to what it named; what is missing is said before anything is sent',
    async (t) => {
      await hers.waitForURL(`${url}/catalog?q=orders`)
      await hers.getByRole('row').getByText('orders').waitFor()
      await hers.keyboard.press('j')
      await hers.keyboard.press('Enter')
      await hers.getByRole('heading', { name: 'Request 1' }).waitFor()
      await hers.getByText('Approved by').waitFor()
      await hers.keyboard.press('Control+Enter')
      await hers.getByText('Say why: the approver reads it').waitFor()
      t.match(await company.api('alice', 'GET', '/api/v1/requests'), { total: 0 })
      await look(t, hers, 'catalog-request')
    },
  )

  await t.test('asked by keyboard; the approver sees it at once', async (t) => {
    await his.getByText('Nothing waits for you.').waitFor()
    await hers.getByLabel('Reason').fill('why is order 17 late')
    const sentAt = performance.now()
    await hers.keyboard.press('Control+Enter')
    await hers.getByText('Waits for approval').waitFor()
    await his.getByText('alice@example.com').waitFor()
    t.ok(performance.now() - sentAt < 10_000, `after ${Math.round(performance.now() - sentAt)} ms, without a reload`)
    await look(t, his, 'requests-narrow')
  })

  await t.test(
    'all of it is read before it is decided, on a phone; the digest of what was read goes with it',
    async (t) => {
      await his.getByRole('link', { name: /alice/ }).click()
      await his.getByText('why is order 17 late').waitFor()
      await his.getByText('rds-postgres/').waitFor()
      await his.getByText('sallyport_ro').first().waitFor()
      await look(t, his, 'request-narrow')
      await his.getByRole('button', { name: /Deny/ }).click()
      await his.getByText('Say why: the one who asked reads it.').waitFor()
      t.match(
        await company.api('bob', 'GET', '/api/v1/requests'),
        { items: [{ status: 'pending' }] },
        'without a reason no denial',
      )
      await his.getByRole('button', { name: /Approve/ }).click()
      await his.getByText('You approved it. Access is given.').waitFor()
    },
  )

  await t.test('who asked sees it live at home, and connects by what the page gives', async (t) => {
    await hers.getByRole('link', { name: 'Home', exact: true }).click()
    await hers.getByRole('link', { name: 'Connect' }).click()
    await hers.getByText('sallyport psql orders').waitFor()
    await look(t, hers, 'grant')
    await hers.getByRole('button', { name: 'Make a password' }).click()
    await hers.getByText('••••••••••••').waitFor()
    await hers.getByRole('button', { name: 'Show' }).click()
    const password = (await hers.locator('.secret code').textContent()) ?? ''
    t.match(password, /^\S{30,}$/)
    t.notOk(hers.url().includes(password))
    const shown = async (label: string) =>
      (await hers
        .locator('.facts > div', { hasText: new RegExp(`^${label}`) })
        .locator('dd')
        .textContent()) ?? ''
    const [host, port, user, database] = await Promise.all(['Host', 'Port', 'User', 'Database'].map(shown))
    const ssl = { ca: company.sandbox.authority.cert }
    const client = new pg.Client({ host, port: Number(port), user, password, database, ssl })
    await client.connect()
    t.match((await client.query('select $1::text as found', ['needle-17'])).rows, [{ found: 'needle-17' }])
    await client.end()
    const stored = await hers.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')
    t.notMatch(stored, password, 'it is kept nowhere')
  })

  await t.test('revoked by the approver: the one who holds it sees why', async (t) => {
    await his.getByRole('link', { name: 'To the grant' }).click()
    await his.getByRole('button', { name: 'Revoke' }).click()
    await his.getByLabel(/Reason/).fill('incident 42')
    await his.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await hers.getByText(/incident 42/).waitFor()
    await look(t, hers, 'grant-revoked')
    await hers.getByRole('link', { name: 'Home', exact: true }).click()
    await hers.getByText('You hold no access now.').waitFor()
    await hers.getByRole('link', { name: 'Ask again' }).waitFor()
    await look(t, hers, 'home-before')
  })

  await t.test('an auditor finds it in the log, in the dark; menus follow what one can do', async (t) => {
    const page = await open(carol, '/audit', 'carol')
    await page.getByRole('button', { name: 'grant.revoked' }).click()
    await page.getByText('incident 42').waitFor()
    await page.getByText(/events, proven up to|no copy outside proves/).waitFor()
    await look(t, page, 'audit-dark')
    t.equal(
      await hers.getByRole('link', { name: 'Log', exact: true }).count(),
      0,
      'who is no auditor is not offered it',
    )
    const denied = await open(alice, '/audit')
    await denied.getByRole('alert').first().waitFor()
  })

  await t.test('why, by the rules; a token is shown once, and revoked', async (t) => {
    const page = await open(carol, '/why')
    await page.getByLabel('Who').fill('alice@example.com')
    await page.getByLabel('Resource').fill('billing')
    await page.keyboard.press('Enter')
    await page.getByText('may not ask').first().waitFor()
    await page.getByText('it needs group database-owners').first().waitFor()
    t.match(page.url(), /who=alice%40example.com&resource=billing/)
    await hers.goto(`${url}/tokens`)
    await hers.getByRole('button', { name: 'Create a token' }).click()
    const form = hers.getByRole('dialog')
    await form.getByRole('button', { name: 'Create a token' }).click()
    await form.getByText('Pick at least one.').waitFor()
    await form.getByLabel('Name').fill('nightly report')
    await form.getByLabel('read', { exact: false }).first().check()
    await form.getByRole('button', { name: 'Create a token' }).click()
    await form.getByText('nightly report is created.').waitFor()
    await form.getByRole('button', { name: 'Show' }).click()
    const token = (await form.locator('.secret code').textContent()) ?? ''
    const asked = () => fetch(`${url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })
    t.equal((await asked()).status, 200)
    await form.getByRole('button', { name: 'Done' }).click()
    t.notMatch(await hers.content(), token, 'it has left the page')
    await hers.getByRole('button', { name: 'Revoke' }).click()
    await form.getByRole('button', { name: 'Revoke' }).click()
    await hers.getByText('You have no API token.').waitFor()
    t.equal((await asked()).status, 401)
    if (!noAxe) t.same([...(await findBarriers(page)), ...(await findBarriers(hers))], [])
    await page.close()
  })

  await t.test('a value in a recording is found, and its moment has an address', async (t) => {
    const page = await open(carol, '/recordings')
    await page.getByLabel('Text').fill('NEEDLE-17')
    await page.keyboard.press('Enter')
    await page.getByText(/^Found 1 time in/).waitFor()
    t.notMatch(page.url(), /needle/i, 'what is looked for is in no address')
    await page.locator('.hit a').click()
    await page.locator('.row.here', { hasText: 'needle-17' }).waitFor()
    const moment = page.url()
    t.match(moment, /\/recordings\/ses_\w+\?at=\d+$/)
    await page.goBack()
    await page.getByText(/^Found 1 time in/).waitFor()
    await page.goto(moment)
    await page.locator('.row.here', { hasText: 'needle-17' }).waitFor()
    if (!noAxe) t.same(await findBarriers(page), [])
    await page.close()
  })

  await t.test('an unknown address is the server’s 404', async (t) => {
    t.equal((await company.call('alice', 'GET', '/nothing')).status, 404)
  })

  await t.test('a sign-in that ends is said, and what was typed is still there', async () => {
    await hers.getByRole('link', { name: 'Catalog', exact: true }).click()
    await hers.getByLabel('Search').last().fill('bill')
    const { items } = await company.api<{ items: { id: string; email: string | null }[] }>(
      'dave',
      'GET',
      '/api/v1/principals',
    )
    const id = items.find(({ email }) => email === 'alice@example.com')?.id
    await company.api('dave', 'POST', `/api/v1/principals/${id}/lock`, { reason: 'laptop lost' })
    await hers.getByText('Your sign-in has ended. What you typed is still here.').waitFor()
  })

  await t.test('no page broke its policy or complained', async (t) => {
    // Refusals are what was tried: browsers write each into the console.
    const refusals = /the server responded with a status of (401|403|404)/
    await waitUntil(
      () => complaints.every((one) => one.every((text) => refusals.test(text) || /4401|websocket/i.test(text))),
      () => complaints.flat().join('\n'),
    )
    t.pass()
  })
})
