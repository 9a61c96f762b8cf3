import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { noChromium, signInOn, startChromium } from './chromium.ts'
import type { Demo } from './demo-house.ts'
import type { AccountName } from './oidc/accounts.ts'
import type { Transcript } from './transcript.ts'

/**
 * The part of the tour that is about the page: what a newcomer does from the address that the demo prints, to the first rows of a database. Nothing is
 * typed into a shell but what the page gives to copy.
 */
export async function showPage(demo: Demo, print: Transcript): Promise<void> {
  print.heading('The page: asked, decided and connected in the browser; in a shell only what the page gives')
  if (noChromium) return print.miss('Chromium is not installed: apt install chromium')
  const browser = await startChromium()
  try {
    const [hers, his] = await Promise.all([signedIn(browser, demo, 'alice'), signedIn(browser, demo, 'bob')])
    await hers.getByRole('link', { name: 'Open the catalog' }).click()
    await hers.getByRole('button', { name: /orders/ }).click()
    await hers.getByLabel('Reason').fill('why is order 17 late')
    await hers.getByRole('button', { name: /^Send/ }).click()
    await hers.getByText('Waits for approval').waitFor()
    print.check(true, `alice asks for orders at ${demo.url}`)

    await his.getByRole('link', { name: /^Requests/ }).click()
    await his.getByRole('link', { name: /alice/ }).click()
    await his.getByText('why is order 17 late').waitFor()
    await his.getByRole('button', { name: /^Approve/ }).click()
    await his.getByText('Access is given.').waitFor()
    print.check(true, 'bob reads what it gives, and approves')

    await hers.getByRole('link', { name: 'Home', exact: true }).click()
    await hers.getByRole('link', { name: 'Connect' }).click()
    const snippets = await snippetsOn(hers)
    const [login = '', psql = ''] = snippets
    print.check(/^sallyport login /.test(login) && psql === 'sallyport psql orders', 'the page gives her two commands')
    const env = { ...demo.personEnv('alice'), PATH: `${withCommand(demo)}:${process.env.PATH}` }
    await print.run(login, 'sh', ['-c', login], { env })
    const query = 'select id, status from orders order by id limit 3'
    await print.run(`echo '${query}' | ${psql}`, 'sh', ['-c', `echo '${query}' | ${psql}`], { env, shows: [/3 rows/] })

    await hers.getByRole('button', { name: 'Give back' }).click()
    await hers.getByRole('dialog').getByRole('button', { name: 'Give back' }).click()
    await hers.getByText('given back').first().waitFor()
    print.check(true, 'she gives it back on the page, too')
  } finally {
    await browser.close()
  }
}

/** At the address that the demo prints. */
async function signedIn(browser: Browser, demo: Demo, account: AccountName): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(15_000)
  await page.goto(demo.url)
  await signInOn(page, account)
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  return page
}

async function snippetsOn(page: Page): Promise<readonly string[]> {
  await page.getByText('Once on this machine').waitFor()
  return await page.locator('.steps .snippet code').allTextContents()
}

/** A folder where alice's command has the name that it has on her machine. */
function withCommand(demo: Demo): string {
  const dir = join(demo.dir, 'bin')
  mkdirSync(dir, { recursive: true })
  symlinkSync(demo.launcher('alice'), join(dir, 'sallyport'))
  return dir
}
