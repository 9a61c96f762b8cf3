import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestView } from '../../contract/requests.ts'
import type { ApiClient } from '../api/api-client.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { exitCodes, printJson, printLine } from '../output.ts'
import { getRequest, printOutcome } from './access-request.ts'

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
    .description('request access to a resource')
    .option('--level <level>', 'access level; `sallyport ls` lists them')
    .option('--for <duration>', 'how long you need it, e.g. 90m, 2h or 1h30m', durationArgument)
    .option('--reason <text>', 'reason; shown to approvers and kept in the audit log')
    .option('--ticket <id>', 'ticket, if the rule requires one')
    .option('--on-behalf-of <principal>', 'request it for another principal')
    .option('--same-as <request>', 'repeat one of your earlier requests; other options override its values')
    .option('--wait', 'wait for the decision')
    .option('--json', 'print JSON')
    .action(async (resource: string | undefined, options: Options) => {
      if (resource === undefined && options.sameAs === undefined)
        program.error('error: name a resource or use --same-as', { exitCode: exitCodes.usage })
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const outcome = await api.call('POST /api/v1/requests', { body: toBody(resource, options) })
      if (!options.json) printOutcome(outcome)
      const done = options.wait && !outcome.grant ? await waitForDecision(api, outcome.request.id) : outcome.request
      if (options.json) printJson({ ...outcome, request: done })
      if (options.wait && !outcome.grant) report(done, options)
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
  if (!options.json) printLine(`${request.id} is ${request.statusReason ?? request.status}`)
  if (request.status !== 'granted') process.exitCode = exitCodes.denied
}
