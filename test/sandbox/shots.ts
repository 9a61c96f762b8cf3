/**
 * Pictures of the page, kept in a folder that git ignores, and compared with how they looked before. Letters differ between machines, so
 * that what is kept of a picture is the mean colour of each square, and it is only compared in the same Chromium with the same fonts.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Page } from 'playwright-core'

export const shotsFolder = path.resolve(import.meta.dirname, '../../.shots')
/** Of journeys, and of every screen in every state: many, so that they are compressed. */
type Album = 'shots' | 'screens'
const fileOf = (album: Album) => path.resolve(import.meta.dirname, `../fixtures/${album}.json`)
/** `SALLYPORT_SHOTS=keep`: how it looks now is how it should. */
export const keepsShots = process.env.SALLYPORT_SHOTS === 'keep'
const squarePx = 26
/** Of 255, in one of the three colours. */
const mostOff = 14
/** Times and sizes in the frame change, and letters are smoothed otherwise: squares of a hundred. */
const mostDiffering = 2

interface Kept {
  /** Chromium and fonts with which it was made. */
  made: string
  /** Mean colours, row by row, in base64. */
  readonly shots: Record<string, string>
}

/** @returns what is different, for people; undefined: nothing, or it cannot be said here */
export async function compareShot(
  page: Page,
  name: string,
  album: Album = 'shots',
): Promise<{ differs?: string; skipped?: string }> {
  mkdirSync(shotsFolder, { recursive: true })
  const file = path.join(shotsFolder, `${name}.png`)
  const png = await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' })
  const kept = readKept(album)
  const made = await describe(page)
  const now = await squaresOf(page, png)
  if (keepsShots) {
    if (kept.made !== made) for (const other of Object.keys(kept.shots)) delete kept.shots[other]
    kept.made = made
    kept.shots[name] = (album === 'screens' ? deflateRawSync(now) : now).toString('base64')
    writeFileSync(fileOf(album), `${JSON.stringify(kept, null, 2)}\n`)
    return {}
  }
  if (kept.made !== made) return { skipped: `it was made with ${kept.made}, and this is ${made}` }
  const before = squaresIn(kept.shots[name], album)
  if (before.length !== now.length) return { differs: `${name}: there is no picture of that size to compare with` }
  const squares = now.length / 3
  const differing = Array.from({ length: squares }, (_, i) => [0, 1, 2].some((c) => isOff(before, now, 3 * i + c)))
  const percent = (100 * differing.filter(Boolean).length) / squares
  if (percent <= mostDiffering) return {}
  return {
    differs: `${name}: ${percent.toFixed(1)} % looks different; see .shots/${name}.png, and keep it with SALLYPORT_SHOTS=keep`,
  }
}

function isOff(before: Buffer, now: Buffer, at: number): boolean {
  return Math.abs((before[at] ?? 0) - (now[at] ?? 0)) > mostOff
}

function squaresIn(text: string | undefined, album: Album): Buffer {
  const bytes = Buffer.from(text ?? '', 'base64')
  return album === 'screens' && bytes.length > 0 ? inflateRawSync(bytes) : bytes
}

function readKept(album: Album): Kept {
  try {
    return JSON.parse(readFileSync(fileOf(album), 'utf8'))
  } catch {
    return { made: '', shots: {} }
  }
}

/** Chromium's main version, and how wide both fonts of the page are. */
async function describe(page: Page): Promise<string> {
  const major = page.context().browser()?.version().split('.')[0]
  const widths =
    await page.evaluate(`['14px system-ui', '14px ' + getComputedStyle(document.documentElement).getPropertyValue('--mono')]
    .map((font) => {
      const context = document.createElement('canvas').getContext('2d')
      context.font = font
      return context.measureText('The quick brown fox jumps over 13 lazy dogs.').width.toFixed(1)
    }).join(' and ')`)
  return `Chromium ${major} and fonts ${widths} px wide`
}

/** Decoded by the page itself, whose policy is about what it loads. */
async function squaresOf(page: Page, png: Buffer): Promise<Buffer> {
  const squares = await page.evaluate<number[]>(`(async () => {
    const bytes = Uint8Array.from(atob('${png.toString('base64')}'), (one) => one.charCodeAt(0))
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const [columns, rows] = [picture.width, picture.height].map((px) => Math.ceil(px / ${squarePx}))
    const small = { resizeWidth: columns, resizeHeight: rows, resizeQuality: 'high' }
    const context = new OffscreenCanvas(columns, rows).getContext('2d')
    context.drawImage(await createImageBitmap(picture, small), 0, 0)
    return Array.from(context.getImageData(0, 0, columns, rows).data).filter((_, i) => i % 4 !== 3)
  })()`)
  return Buffer.from(squares)
}
