import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestView } from '../../contract/requests.ts'
import type { ApiClient } from '../api/api-client.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { exitCodes, printJson } from '../output.ts'
import { getRequest, printAsked } from './access-request.ts'

interface Options {
  level?: string
  for?: number
  reason?: string
  ticket?: string
  onBehalfOf?: string
  sameAs?: string
  wait?: boolean
  json?: boolean
}

export const registerRequest: Register = (program) => {
  program
    .command('request [resource]')
    .description('ask for access to a resource')
    .option('--level <level>', 'what you want to do there; see `sallyport ls`')
    .option('--for <duration>', 'how long, e.g. 90m, 2h, 1h30m', durationArgument)
    .option('--reason <text>', 'why; approvers and the audit log see it')
    .option('--ticket <id>', 'ticket, if the rule wants one')
    .option('--on-behalf-of <principal>', 'for somebody else')
    .option('--same-as <request>', 'as an earlier request of yours, except for what you say here')
    .option('--wait', 'wait until it is decided')
    .option('--json', 'print JSON')
    .action(async (resource: string | undefined, options: Options) => {
      if (resource === undefined && options.sameAs === undefined)
        program.error('error: name a resource, or give --same-as', { exitCode: exitCodes.usage })
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const asked = await api.call('POST /api/v1/requests', { body: toBody(resource, options) })
      if (!options.json) printAsked(asked)
      const done = options.wait && !asked.grant ? await waitForDecision(api, asked.request.id) : asked.request
      if (options.json) printJson({ ...asked, request: done })
      if (options.wait && !asked.grant) report(done, options)
    })
}

function toBody(resource: string | undefined, { for: durationMs, level, reason, ticket, onBehalfOf, sameAs }: Options) {
  return { resource, level, durationMs, reason, ticket, onBehalfOf, sameAs }
}

const pollMs = 2000

async function waitForDecision(api: ApiClient, id: string): Promise<RequestView> {
  for (;;) {
    const request = await getRequest(api, id)
    if (request.status !== 'pending') return request
    await sleep(pollMs)
  }
}

function report(request: RequestView, options: Options): void {
  if (!options.json) process.stdout.write(`${request.id} is ${request.statusReason ?? request.status}\n`)
  if (request.status !== 'granted') process.exitCode = exitCodes.denied
}
