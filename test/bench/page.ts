/**
 * The page in Chromium: how soon home is there in a browser that has nothing of it yet, also on a slow machine and a slow line; a list of 10,000 requests;
 * an hour of a recorded terminal; and how fast a shell's output is shown.
 */
import type { Browser, Page } from 'playwright-core'
import { startCompany } from '../e2e/company.ts'
import { full, ids, listed, now, requestNumbered, terminalRecording } from '../page/answers.ts'
import { startStage } from '../page/stage.ts'
import { visit } from '../page/visit.ts'
import { screenOf, showsOn, startChromium } from '../sandbox/chromium.ts'
import { shellInstance } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import { type BenchOptions, gate, median, percentile, type Row } from './rows.ts'

const bench = 'page'
const pending = 10_000
const hourMs = 3_600_000
const recordedBytes = 11_000_000
const outputBytes = 10_000_000

export async function run({ rounds, note }: BenchOptions): Promise<Row[]> {
  await using closing = new AsyncDisposableStack()
  const browser = await startChromium()
  closing.defer(() => browser.close())
  note('home, in a browser that has nothing of it yet')
  const company = await startCompany({ sandbox: { shells: true } })
  closing.defer(() => company.close())
  const grant = await company.grant(hourMs, shellInstance)
  const [, name = '', value = ''] = /(?:^|; )(sallyport)=([^;]+)/.exec(company.cookie('alice')) ?? []
  const cookie = { name, value, url: company.daemon.url }
  const cold = async (isSlow: boolean) => {
    const times: number[] = []
    for (let i = 0; i < rounds; i += 1) times.push(await homeSeconds(browser, cookie, isSlow))
    return median(times)
  }
  const rows = [
    bounded('home, cold', 's', await cold(false), 0.8),
    bounded('home, cold: CPU/4, 10 Mbit/s, 40 ms', 's', await cold(true), 2.5),
  ]
  note('output of a shell')
  const context = await browser.newContext()
  await context.addCookies([cookie])
  const shell = await context.newPage()
  await shell.goto(`${company.daemon.url}/terminal/${grant.id}`)
  const speed = await outputSpeed(shell)
  rows.push({ bench, case: 'output of a shell', unit: 'MB/s', value: speed, ...gate(speed, 5, 'more') })
  await context.close()
  return [...rows, ...(await staged(browser, note))]
}

/** Of what depends on the page alone. */
async function staged(browser: Browser, note: BenchOptions['note']): Promise<Row[]> {
  const stage = await startStage(now)
  try {
    note('10,000 requests')
    const { page, context, open } = await visit(browser, stage)
    stage.show({
      ...full,
      'GET /api/v1/requests': ({ query: { cursor = '0', limit = 100 } }) => {
        const from = Number(cursor)
        const items = Array.from({ length: Math.min(limit, pending - from) }, (_, i) => requestNumbered(from + i))
        return {
          ...(listed('requests', items, pending) as object),
          next: from + limit < pending ? `${from + limit}` : null,
        } as never
      },
    })
    await open('/requests')
    for (let seen = 100; seen < pending; seen += 100) {
      await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
      await page.getByText(new RegExp(`^${Math.min(seen + 100, pending)} of ${pending}$`)).waitFor()
    }
    const frames = (await page.evaluate(scrollThrough)) as number[]
    const drawn = await page.locator('.body .row').count()
    await context.close()

    note('an hour of a recorded terminal')
    const line = `${'x'.repeat(108)}\r\n`
    const events = recordedBytes / line.length
    stage.show({
      ...full,
      'GET /api/v1/recordings/:sessionId': terminalRecording(
        Array.from({ length: events }, (_, i) => [Math.floor((i * hourMs) / events), line] as const),
      ),
    })
    const viewer = await visit(browser, stage)
    const openedAt = performance.now()
    await viewer.page.goto(`${stage.url}/recordings/${ids.shell}`)
    await viewer.page.getByRole('slider').waitFor()
    const openS = (performance.now() - openedAt) / 1000
    const soughtAt = performance.now()
    await viewer.page.getByRole('slider').fill(String(hourMs - 1000))
    await viewer.page.waitForFunction("document.querySelector('.xterm-rows')?.textContent.trim().length > 1000")
    const seekS = (performance.now() - soughtAt) / 1000
    await viewer.context.close()
    return [
      bounded('10,000 requests: rows in the document', 'rows', drawn, 60),
      bounded('10,000 requests: a frame while scrolling, 95th percentile', 'ms', percentile(frames, 0.95), 50),
      bounded('an hour of a recorded terminal, 11 MB: opened', 's', openS, 1.5),
      bounded('an hour of a recorded terminal, 11 MB: sought to its end', 's', seekS, 0.8),
    ]
  } finally {
    await stage.close()
  }
}

async function homeSeconds(
  browser: Browser,
  cookie: { name: string; value: string; url: string },
  isSlow: boolean,
): Promise<number> {
  const context = await browser.newContext()
  try {
    await context.addCookies([cookie])
    const page = await context.newPage()
    if (isSlow) {
      const client = await context.newCDPSession(page)
      await client.send('Emulation.setCPUThrottlingRate', { rate: 4 })
      const bytesPerSecond = 10_000_000 / 8
      const line = { latency: 40, downloadThroughput: bytesPerSecond, uploadThroughput: bytesPerSecond }
      await client.send('Network.emulateNetworkConditions', { offline: false, ...line })
    }
    const startedAt = performance.now()
    await page.goto(cookie.url)
    await page.getByRole('link', { name: 'Connect' }).first().waitFor()
    return (performance.now() - startedAt) / 1000
  } finally {
    await context.close()
  }
}

/** Until the last of it is shown. */
async function outputSpeed(page: Page): Promise<number> {
  await showsOn(page, /\$/)
  await page.keyboard.press('Shift')
  await page.keyboard.insertText(`yes ${'0123456789'.repeat(8)} | head -c ${outputBytes}; echo all$((1+1))`)
  const startedAt = performance.now()
  await page.keyboard.press('Enter')
  await waitUntil(async () => (await screenOf(page)).search(/all2$/m) >= 0, 'the last of it is shown', 120_000, 20)
  return outputBytes / 1e6 / ((performance.now() - startedAt) / 1000)
}

/** Each frame's time, ms, while the list goes by. */
const scrollThrough = `(async () => {
  const times = []
  let last = performance.now()
  for (let i = 0; i < 120; i += 1) {
    scrollTo(0, (i * document.documentElement.scrollHeight) / 120)
    await new Promise((resolve) => requestAnimationFrame(resolve))
    const at = performance.now()
    times.push(at - last)
    last = at
  }
  return times
})()`

function bounded(name: string, unit: string, value: number, most: number): Row {
  return { bench, case: name, unit, value, ...gate(value, most, 'less') }
}
