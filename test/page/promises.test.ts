/** What the page promises beside its journeys: under another version, after a sleep, on a phone, while the broker can do less. */
import type { Page } from 'playwright-core'
import t from 'tap'
import { BrokerError } from '../../proxy/session.ts'
import { skipInShortRun } from '../long.ts'
import { noChromium, startChromium } from '../sandbox/chromium.ts'
import { waitUntil } from '../wait-until.ts'
import { full, ids, now, resources, terminalRecording } from './answers.ts'
import { startStage } from './stage.ts'
import { sizes, visit } from './visit.ts'

t.setTimeout(300_000)
const hour = 3_600_000
const catalogRequest = `/catalog?ask=${encodeURIComponent(resources.orders)}`

t.test('what the page promises', { skip: noChromium }, async (t) => {
  const [browser, stage] = await Promise.all([startChromium(), startStage(now)])
  t.teardown(async () => {
    await browser.close()
    await stage.close()
  })
  t.beforeEach(() => {
    stage.show(full)
    stage.at(now)
  })
  const screenChunk = /\/assets\/requests-screen-.*\.js$/
  const isBlank = async (page: Page) => (await page.evaluate<string>('document.body.innerText')).trim() === ''

  await t.test(
    'restarted under new files: the page loads itself anew, and what was typed is still there',
    async (t) => {
      const { context, page, open } = await visit(browser, stage)
      await open(catalogRequest)
      await page.getByLabel('Reason').fill('why is order 17 late')
      let refused = 0
      await page.route(screenChunk, async (route) => {
        refused += 1
        return refused === 1 ? await route.fulfill({ status: 404 }) : await route.continue()
      })
      await page.getByRole('link', { name: /^Requests/ }).click()
      await page.getByRole('heading', { name: 'Requests' }).waitFor()
      t.equal(refused, 2)
      await page.goBack()
      await page.getByLabel('Reason').waitFor()
      t.equal(await page.getByLabel('Reason').inputValue(), 'why is order 17 late')
      await context.close()
    },
  )

  await t.test('two replicas of two versions: a part that stays away is said, and no page is blank', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    await open('/')
    await page.route(screenChunk, (route) => route.fulfill({ status: 404 }))
    await page.getByRole('link', { name: /^Requests/ }).click()
    await page.getByRole('heading', { name: 'A new version is here' }).waitFor()
    await page.unroute(screenChunk)
    await page.getByRole('button', { name: 'Reload' }).click()
    await page.getByRole('heading', { name: 'Requests' }).waitFor()
    await page.route(/\/assets\/index-.*\.js$/, (route) => route.fulfill({ status: 404 }))
    await page.goto(`${stage.url}/requests`)
    await page.getByRole('link', { name: 'Load it again' }).waitFor()
    t.notOk(await isBlank(page))
    await page.unrouteAll()
    await page.getByRole('link', { name: 'Load it again' }).click()
    await page.getByRole('heading', { name: 'Requests' }).waitFor()
    await context.close()
  })

  await t.test('an hour asleep: all of it is read again, by the time that it is', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    await open('/')
    await page.getByText('41 min left').first().waitFor()
    await context.clock.setFixedTime(now + hour)
    stage.at(now + hour)
    stage.dropSockets()
    await page.getByText('no time left').first().waitFor()
    await waitUntil(() => stage.sockets() === 1, 'it hears news again')
    stage.show({ ...full, 'GET /api/v1/me': new BrokerError('LOGIN_REQUIRED') })
    stage.dropSockets(4401)
    await page.getByText('Your sign-in has ended. What you typed is still here.').waitFor()
    t.match(
      await page.getByRole('link', { name: 'Sign in again' }).first().getAttribute('href'),
      /^\/login\?return_to=/,
    )
    await context.close()
  })

  await t.test('eight tabs: each is live', { skip: skipInShortRun }, async (t) => {
    const { context, page, open } = await visit(browser, stage)
    await open('/')
    const tabs = [page, ...(await Promise.all(Array.from({ length: 7 }, () => context.newPage())))]
    for (const tab of tabs.slice(1)) await tab.goto(`${stage.url}/requests`)
    for (const tab of tabs.slice(1)) await tab.getByRole('heading', { name: 'Requests' }).waitFor()
    await waitUntil(
      () => stage.sockets() === 8,
      () => `${stage.sockets()} of 8 tabs hear news`,
    )
    t.pass()
    await context.close()
  })

  await t.test('on a phone a decision is in reach of one thumb', async (t) => {
    const { context, page, open } = await visit(browser, stage, { size: 'narrow' })
    await open(`/requests/${ids.request}`)
    for (const name of [/^Approve/, /^Deny/]) {
      const box = await page.getByRole('button', { name }).boundingBox()
      t.ok(box && box.height >= 44 && box.width >= 44, `${name} is large enough`)
      t.ok(box && box.y > sizes.narrow.height / 2, `${name} is in the lower half without scrolling`)
    }
    const [deny, approve] = await Promise.all(
      [/^Deny/, /^Approve/].map((name) => page.getByRole('button', { name }).boundingBox()),
    )
    t.ok((approve?.x ?? 0) - ((deny?.x ?? 0) + (deny?.width ?? 0)) >= 16, 'and they stand apart')
    await context.close()
  })

  await t.test('while the log cannot be written: it is said, nothing is shown as done, removals work', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    stage.show({
      ...full,
      'POST /api/v1/requests/:id/approve': new BrokerError('AUDIT_UNAVAILABLE'),
      'POST /api/v1/sessions/:id/kill': undefinedAnswer,
    })
    await open(`/requests/${ids.request}`)
    await page.getByRole('button', { name: /^Approve/ }).click()
    await page.getByText('The audit log cannot be written, so no new access is allowed.').waitFor()
    t.equal(await page.getByText('You approved it.').count(), 0)
    await open('/sessions')
    await page.getByRole('button', { name: 'End' }).first().click()
    await page.getByRole('button', { name: 'End the session' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await context.close()
  })

  await t.test('without an answer the page keeps what it showed', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    await open('/sessions')
    stage.show({
      'GET /api/v1/me': full['GET /api/v1/me'] as never,
      'GET /api/v1/sessions': new BrokerError('STORE_UNAVAILABLE'),
    })
    stage.tell('sessions')
    await page.getByRole('alert').waitFor()
    t.ok((await page.locator('.body .row').count()) > 0)
    await page.getByRole('button', { name: 'Try again' }).waitFor()
    await context.close()
  })

  const player = { 'GET /api/v1/recordings/:sessionId': terminalRecording([]) }
  const shown = (page: Page) => page.locator('.xterm-rows').textContent()
  const seek = (page: Page, ms: number) => page.getByRole('slider').fill(String(ms))

  await t.test('T-4: a replay answers no query, sets no clipboard and sends nothing', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: stage.url })
    const queries = '\u001b]52;x\r id\r;?\u0007\u001b]52;c;aGFybQ==\u0007\u001b[c\u001b[6n\u001b[>q\u001b]10;?\u0007'
    stage.show({
      ...full,
      ...player,
      'GET /api/v1/recordings/:sessionId': terminalRecording([
        [0, `${queries}before`],
        [5000, 'after'],
      ]),
    })
    await open(`/recordings/${ids.shell}`)
    await page.evaluate("navigator.clipboard.writeText('mine')")
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.url()))
    page.on('websocket', (socket) => socket.on('framesent', () => sent.push(socket.url())))
    await seek(page, 5000)
    await waitUntil(async () => (await shown(page))?.includes('after') ?? false, 'it is shown')
    await page.locator('.emulator').click()
    await page.keyboard.type('id')
    t.equal(await page.evaluate('navigator.clipboard.readText()'), 'mine')
    t.same(sent, [])
    t.notMatch(await page.title(), /harm/)
    await context.close()
  })

  await t.test('T-5: seeking, forwards and back, shows a moment in the size that it had', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    const lines = terminalRecording([
      [0, 'small'],
      [9000, '\r\nlarge'],
    ])
    const resized = { at: now - hour + 5000, type: 'resize', cols: 120, rows: 40 }
    stage.show({ ...full, 'GET /api/v1/recordings/:sessionId': lines.toSpliced(3, 0, resized) })
    await open(`/recordings/${ids.shell}`)
    const rows = () => page.locator('.xterm-rows > div').count()
    for (const [ms, count] of [
      [0, 30],
      [9000, 40],
      [5000, 40],
      [4000, 30],
      [8999, 40],
    ] as const) {
      await seek(page, ms)
      await waitUntil(
        async () => (await rows()) === count,
        () => `at ${ms} it has ${count} rows`,
      )
    }
    await waitUntil(async () => !(await shown(page))?.includes('large'), 'what comes later is not shown')
    t.pass()
    await context.close()
  })
})

/** Of a call that answers nothing. */
const undefinedAnswer = () => undefined
