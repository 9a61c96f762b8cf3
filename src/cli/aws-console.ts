import { openApiClient } from './login-store.ts'
import { openBrowser } from './open-browser.ts'
import { exitCodes, printJson, when } from './output.ts'

export interface ConsoleOptions {
  readonly level?: string
  readonly service?: string
  readonly region?: string
  readonly print?: boolean
  readonly json?: boolean
}

/** Answer of POST /api/v1/aws/console. `url` lets in whoever has it. */
interface ConsoleLink {
  readonly url: string
  readonly destination: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** `sallyport aws ROLE console`: a browser on the AWS console, or the link. */
export async function openConsole(
  server: { server?: string },
  resource: string,
  options: ConsoleOptions,
): Promise<number> {
  const api = await openApiClient(server)
  const { level, service: destination, region } = options
  const ask = { resource, level, destination, region, tool: 'console' }
  const link = await api.post<ConsoleLink>('/api/v1/aws/console', ask)
  if (options.json) {
    printJson(link)
    return exitCodes.done
  }
  const failed = (why: string) => process.stderr.write(`${why}; use: sallyport aws ${resource} console --print\n`)
  const why = options.print ? null : openBrowser(link.url, process.env, failed)
  if (options.print) process.stdout.write(`${link.url}\n`)
  else if (why !== null) failed(why)
  process.stderr.write(`${link.destination}, until ${when(link.expiresAt)} UTC\n`)
  return why === null ? exitCodes.done : exitCodes.failed
}
