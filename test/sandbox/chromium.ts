import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { waitUntil } from '../wait-until.ts'
import { password } from './oidc/accounts.ts'
import { skipWithout } from './programs.ts'

/** Debian's: no download of another one. */
const program = 'chromium'

/** For `{ skip }` of a test that needs a real browser. @throws Error in CI */
export const noChromium: string | false = skipWithout(program)

/** Without a window and with a profile of its own. The caller closes it. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: `/usr/bin/${program}`,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu'],
  })
}

/** Everything that the pages of one origin have complained about: violations of their policy, console errors, exceptions. */
export function collectComplaints(context: BrowserContext, origin: string): string[] {
  const complaints: string[] = []
  const isOurs = (url: string) => url.startsWith(origin)
  context.on('console', (message) => {
    const isComplaint = message.type() === 'error' || message.type() === 'warning'
    if (isComplaint && isOurs(message.page()?.url() ?? '')) complaints.push(`${message.type()}: ${message.text()}`)
  })
  context.on('weberror', (error) => {
    if (isOurs(error.page()?.url() ?? '')) complaints.push(`exception: ${error.error().message}`)
  })
  return complaints
}

/** From the sandbox's sign-in page on, to where it leads back. */
export async function signInOn(page: Page, account: string): Promise<void> {
  await page.check(`input[name=username][value=${account}]`)
  await page.fill('input[name=password]', password)
  await page.click('button[type=submit]')
}

/** What a terminal of the page shows. */
export async function screenOf(page: Page): Promise<string> {
  const rows = await page.locator('.xterm-rows > div').allTextContents()
  return rows.map((row) => row.replaceAll('\u00a0', ' ').trimEnd()).join('\n')
}

export async function showsOn(page: Page, text: string | RegExp): Promise<void> {
  let screen = ''
  const has = async () => {
    screen = await screenOf(page)
    return screen.search(text) >= 0
  }
  await waitUntil(has, () => `${text} is shown in ${screen}`, 15_000, 20)
}
