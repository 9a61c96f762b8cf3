import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import { collectComplaints } from '../sandbox/chromium.ts'
import { waitUntil } from '../wait-until.ts'
import { now } from './answers.ts'
import type { Stage } from './stage.ts'

export const sizes = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } } as const
export type Size = keyof typeof sizes
export type Scheme = 'light' | 'dark'

export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  readonly complaints: string[]
  /** Opens an address, and waits until nothing is asked for any more. @param waits false: calls that are not answered are left */
  open(address: string, waits?: boolean): Promise<void>
}

export interface VisitOptions {
  readonly size?: Size
  readonly scheme?: Scheme
  /** How far the browser's clock is ahead of the broker's. */
  readonly aheadMs?: number
}

/** A browser on the stage. Its clock stands still. */
export async function visit(browser: Browser, stage: Stage, options: VisitOptions = {}): Promise<Visitor> {
  const { size = 'wide', scheme = 'light', aheadMs = 0 } = options
  const context = await browser.newContext({
    ...{ viewport: sizes[size], colorScheme: scheme, timezoneId: 'Europe/Berlin', locale: 'en-GB' },
    reducedMotion: 'reduce',
  })
  await context.addCookies([stage.cookie])
  await context.clock.setFixedTime(now + aheadMs)
  const complaints = collectComplaints(context, stage.url)
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const asked = new Set<Request>()
  page.on('request', (request) => asked.add(request))
  page.on('requestfinished', (request) => asked.delete(request))
  page.on('requestfailed', (request) => asked.delete(request))
  return {
    context,
    page,
    complaints,
    open: async (address, waits = true) => {
      asked.clear()
      await page.goto(`${stage.url}${address}`)
      await page.locator('main, h1').first().waitFor()
      let isQuiet = false
      const isDone = async () => {
        const wasQuiet = isQuiet
        await page.evaluate(twoFrames)
        isQuiet = !waits || asked.size === 0
        return wasQuiet && isQuiet
      }
      await waitUntil(isDone, () => `no answer to ${[...asked].map((request) => request.url())}`, 15_000)
    },
  }
}

/** What was answered is drawn by then. */
const twoFrames = 'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))'
