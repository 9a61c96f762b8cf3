/** Every screen with texts that try to do harm: nothing of them runs, everything has its place, and names are told apart. */
import t, { type Test } from 'tap'
import { isShortRun } from '../long.ts'
import { findBarriers, noAxe } from '../sandbox/accessibility.ts'
import { noChromium, startChromium } from '../sandbox/chromium.ts'
import { catalog, full, listed, now } from './answers.ts'
import { hostile } from './hostile.ts'
import { screens, states } from './screens.ts'
import { type Stage, startStage } from './stage.ts'
import { type Visitor, visit } from './visit.ts'

t.setTimeout(300_000)
/** With the most kinds of texts; .ci/long opens all. */
const shown = isShortRun ? ['catalog-request', 'request', 'people'] : undefined
const hour = 3_600_000

t.test('texts that try to do harm', { skip: noChromium }, async (t) => {
  const [browser, stage] = await Promise.all([startChromium(), startStage(now)])
  t.teardown(async () => {
    await browser.close()
    await stage.close()
  })

  for (const size of isShortRun ? (['narrow'] as const) : (['narrow', 'wide'] as const))
    await t.test(`§5.6: every screen, ${size}`, async (t) => {
      const visitor = await visit(browser, stage, { size })
      for (const screen of screens) {
        if (shown && !shown.includes(screen.name)) continue
        stage.show(hostile(states.full(screen)))
        await visitor.open(screen.address)
        await isHarmless(t, visitor, screen.name)
      }
      t.same(visitor.complaints, [])
      await visitor.context.close()
    })

  await t.test('§8.8: a user name that looks like an e-mail never looks verified; namesakes differ', async (t) => {
    const { context, page, open } = await visit(browser, stage)
    stage.show(full)
    for (const address of ['/people', '/requests', '/sessions', '/grants?all=true']) {
      await open(address)
      const names = await page.locator('.body .row .person').allTextContents()
      const bobs = names.filter((name) => name.includes('bob@example.com'))
      const verified = bobs.filter((name) => name === 'bob@example.com')
      const doubtful = bobs.filter((name) => /^“bob@example\.com” not verified …\w{6}$/.test(name))
      t.ok(doubtful.length > 0 && verified.length + doubtful.length === bobs.length, `${address}: ${bobs.join(', ')}`)
    }
    await context.close()
  })

  for (const [name, aheadMs] of [
    ['ahead', hour],
    ['behind', -hour],
  ] as const)
    await t.test(`§5.6: a browser whose clock is one hour ${name} counts by the broker’s`, async (t) => {
      const { context, page, open } = await visit(browser, stage, { aheadMs })
      stage.show(full)
      await open('/')
      t.same(await page.locator('.home time.left').allTextContents(), ['41 min left', '4 min left', '41 min left'])
      await open('/requests')
      t.equal(await page.locator('.row .c-asked').first().textContent(), '2 min. ago')
      await context.close()
    })

  await t.test('§5.6: five thousand resources: what is in view is drawn, and all can be reached', async (t) => {
    const { context, page, open } = await visit(browser, stage, { size: 'narrow' })
    showMany(stage, 5000)
    await open('/catalog')
    for (const _ of Array.from({ length: 4 })) {
      await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
      await page.getByText(/^\d+ of 5000$/).waitFor()
      t.ok((await page.locator('.body .row').count()) <= 60)
    }
    t.equal(await page.locator('[role=table]').getAttribute('aria-rowcount'), '5001')
    await context.close()
  })
})

/** As many as there are, by pages. */
function showMany(stage: Stage, total: number): void {
  const [first] = catalog
  stage.show({
    ...full,
    'GET /api/v1/resources': ({ query: { cursor = '0', limit = 100 } }) => {
      const from = Number(cursor)
      const page = Array.from({ length: limit }, (_, i) => {
        const name = `orders-${from + i}`
        return { ...first, id: `rds-postgres/111122223333/eu-west-1/${name}`, name }
      })
      return {
        ...(listed('resources', page, total) as object),
        next: from + limit < total ? `${from + limit}` : null,
      } as never
    },
  })
}

async function isHarmless(t: Test, { page }: Visitor, name: string): Promise<void> {
  t.notMatch(await page.title(), /^\d$/, `${name}: nothing runs`)
  t.equal(await page.locator('#root img, #root script, #root a[href^="javascript:"]').count(), 0, `${name}: no mark-up`)
  const text = await page.evaluate<string>('document.body.innerText')
  const raw = [...text.matchAll(/.{0,30}(?:(?![\n\t])\p{Cc}|\p{Cf})/gu)].map(([found]) => found)
  t.same(raw, [], `${name}: what turns text around is made visible`)
  t.ok(text.includes('\ufffd'))
  t.same(await page.evaluate(overflowing), [], `${name}: nothing is wider than its place`)
  if (noAxe) t.comment(noAxe)
  else t.same(await findBarriers(page), [], name)
}

/** What could be scrolled sideways, besides what is made for it. */
const overflowing = `[...document.querySelectorAll('html, main, aside, dialog, .content > *, .detail')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && !one.closest('.emulator'))
  .map((one) => one.tagName + '.' + one.className + ' ' + one.scrollWidth + ' > ' + one.clientWidth)`
