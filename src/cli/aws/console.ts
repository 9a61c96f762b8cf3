import { openApiClient } from '../login/login-store.ts'
import { openOneTimePage } from '../login/one-time-page.ts'
import { openBrowser } from '../login/open-browser.ts'
import { exitCodes, printJson, when } from '../output.ts'
import { portalOf } from './portal.ts'

export interface ConsoleOptions {
  readonly level?: string
  readonly service?: string
  readonly region?: string
  readonly print?: boolean
  readonly json?: boolean
}

/** `sallyport aws ROLE console`: a browser on the AWS console, or the link; of a permission set the portal of Identity Center. */
export async function openConsole(
  server: { server?: string },
  resource: string,
  options: ConsoleOptions,
): Promise<number> {
  const api = await openApiClient(server)
  if (resource.startsWith('permission-set/')) {
    const { url, grant } = await portalOf(api, resource, options.level)
    const link = { url, grantId: grant.id, expiresAt: grant.endsAt }
    return await show(link, `the access portal, until ${when(grant.endsAt)}`, resource, options)
  }
  const { level, service: destination, region } = options
  const body = { resource, level, destination, region, tool: 'console' }
  const link = await api.call('POST /api/v1/aws/console', { body })
  return await show(link, `${link.destination}, until ${when(link.expiresAt)}`, resource, options)
}

async function show(
  link: { readonly url: string },
  until: string,
  resource: string,
  options: ConsoleOptions,
): Promise<number> {
  if (options.json) {
    printJson(link)
    return exitCodes.done
  }
  if (options.print) {
    process.stdout.write(`${link.url}\n`)
    process.stderr.write(`${until}\n`)
    return exitCodes.done
  }
  const why = await showInBrowser(link.url)
  process.stderr.write(`${why === null ? until : `${why}; use: sallyport aws ${resource} console --print`}\n`)
  return why === null ? exitCodes.done : exitCodes.failed
}

/** How long a browser may take to come up. */
const browserWithinMs = 60_000

/** Through a page on this machine: every user can read a browser's command line, and the link alone gives access. */
async function showInBrowser(url: string): Promise<string | null> {
  const page = await openOneTimePage(url, browserWithinMs)
  try {
    const { promise: failure, resolve } = Promise.withResolvers<string>()
    const impossible = openBrowser(page.url, process.env, resolve)
    if (impossible !== null) return impossible
    const came = page.visited.then((isVisited) => (isVisited ? null : 'the browser did not open the link'))
    return await Promise.race([came, failure])
  } finally {
    page.close()
  }
}
