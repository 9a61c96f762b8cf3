/**
 * `npm run shots`: every screen in every state, at 1280 and 390, light and dark, compared with how it looked before, and on one sheet: .shots/index.html.
 * Who changes a screen looks at it. `SALLYPORT_SHOTS=keep npm run shots` keeps what it shows, and the picture of the README.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { findBarriers, noAxe } from '../sandbox/accessibility.ts'
import { noChromium, startChromium } from '../sandbox/chromium.ts'
import { compareShot, keepsShots, shotsFolder } from '../sandbox/shots.ts'
import { full, ids, now } from './answers.ts'
import { hostile } from './hostile.ts'
import { type Screen, screens, states } from './screens.ts'
import { type Scene, startStage } from './stage.ts'
import { type Scheme, type Size, sizes, visit } from './visit.ts'

t.setTimeout(1_800_000)

interface State {
  readonly name: string
  readonly schemes: readonly Scheme[]
  scene(screen: Screen): Scene
  isFor?(screen: Screen): boolean
}

const all: readonly State[] = [
  { name: 'full', schemes: ['light', 'dark'], scene: states.full },
  { name: 'empty', schemes: ['light', 'dark'], scene: states.empty, isFor: ({ isList }) => isList === true },
  { name: 'loading', schemes: ['light'], scene: states.loading },
  { name: 'error', schemes: ['light'], scene: states.error },
  { name: 'hostile', schemes: ['light'], scene: (screen) => hostile(states.full(screen)) },
]

t.test('every screen looks as it did', { skip: noChromium }, async (t) => {
  const [browser, stage] = await Promise.all([startChromium(), startStage(now)])
  t.teardown(async () => {
    await browser.close()
    await stage.close()
  })
  const { page, open, complaints } = await visit(browser, stage)
  const names: string[] = []
  let skipped: string | undefined
  for (const screen of screens)
    for (const state of all) {
      if (state.isFor?.(screen) === false) continue
      stage.show(state.scene(screen))
      await page.setViewportSize(sizes.wide)
      await open(screen.address, state.name !== 'loading')
      if (state.name === 'loading') await page.locator('.bars, h1, header').first().waitFor()
      for (const size of Object.keys(sizes) as Size[]) {
        await page.setViewportSize(sizes[size])
        for (const colorScheme of state.schemes) {
          await page.emulateMedia({ colorScheme })
          const name = `${screen.name}-${state.name}-${size}-${colorScheme}`
          names.push(name)
          const compared = await compareShot(page, name, 'screens')
          skipped ??= compared.skipped
          t.equal(compared.differs, undefined)
          if (state.name !== 'hostile' && !noAxe && size === 'wide') t.same(await findBarriers(page), [], name)
        }
      }
      await page.emulateMedia({ colorScheme: 'light' })
    }
  if (skipped !== undefined) t.comment(`not compared: ${skipped}`)
  const refusals = /the server responded with a status of 503/
  t.same(
    complaints.filter((text) => !refusals.test(text)),
    [],
  )
  writeFileSync(path.join(shotsFolder, 'index.html'), sheetOf(names))
  if (keepsShots) {
    stage.show(full)
    await page.setViewportSize({ width: 1280, height: 896 })
    await open(`/requests/${ids.request}`)
    await page.screenshot({ path: path.resolve(import.meta.dirname, '../../docs/page.png'), caret: 'hide' })
  }
})

/** All of them, to be looked at. */
function sheetOf(names: readonly string[]): string {
  const style =
    'body{font:12px system-ui;display:flex;flex-wrap:wrap;gap:16px}img{display:block;height:480px;border:1px solid #888}'
  const figures = names.map(
    (name) => `<figure><img src="${name}.png" loading="lazy" alt=""><figcaption>${name}</figcaption></figure>`,
  )
  return `<!doctype html><meta charset="utf-8"><title>Shots</title><style>${style}</style>${figures.join('\n')}`
}
