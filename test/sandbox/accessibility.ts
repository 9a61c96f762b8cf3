import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const require = createRequire(import.meta.url)
const axe = isInstalled() ? require.resolve('axe-core/axe.min.js') : undefined

/** For what looks for barriers. */
export const noAxe: string | false = axe === undefined && 'axe-core is not installed: npm ci'

/** WCAG 2.2 AA and good practice. */
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

interface Finding {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/** What axe finds on a page as it is now. It comes in by the debugger, so that the page keeps its policy. */
export async function findBarriers(page: Page): Promise<string[]> {
  if (axe === undefined) throw new Error(String(noAxe))
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(readFileSync(axe, 'utf8'))
  const ran = await page.evaluate(
    `axe.run(document, ${JSON.stringify({ runOnly: tags, resultTypes: ['violations'] })})`,
  )
  const { violations } = ran as { violations: readonly Finding[] }
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary ?? ''}`),
  )
}

function isInstalled(): boolean {
  try {
    require.resolve('axe-core/axe.min.js')
    return true
  } catch {
    return false
  }
}
