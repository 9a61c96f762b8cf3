import { createInterface } from 'node:readline/promises'
import type { RequestView } from '../../contract/requests.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { formatRemaining } from '../duration.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { exitCodes, printJson, printLine, printTable, shownName } from '../output.ts'
import { describeStage, getRequest, printOutcome, printRequest } from './access-request.ts'

interface DecideOptions {
  comment?: string
  yes?: boolean
  json?: boolean
}

export const registerRequests: Register = (program) => {
  const list = program
    .command('requests')
    .description('list open requests, newest first: your own, and those you may decide')
  listOptions(list, {
    all: 'also requests that are closed',
    who: 'only requests by or for this principal',
    resource: 'only requests for this resource',
    time: 'only requests that were made',
  }).action(async (options: ListOptions) => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const query = { ...filtersOf(options), all: options.all }
    printList(await readList(api, 'GET /api/v1/requests', query, options), options, print)
  })
  for (const verdict of ['approve', 'deny'] as const) {
    program
      .command(`${verdict} <request>`)
      .description(`show a request, then ${verdict} its current stage`)
      .option('--comment <text>', 'reason; shown to the requester')
      .option('--yes', 'skip the confirmation')
      .option('--json', 'print JSON')
      .action(async (id: string, options: DecideOptions) => {
        const { openApiClient } = await import('../login/login-store.ts')
        const api = await openApiClient(program.opts())
        const request = await getRequest(api, id)
        if (!options.json) printRequest(request)
        if (request.canDecide && !options.yes && !(await confirm(verdict))) {
          process.exitCode = exitCodes.failed
          return
        }
        // The digest of what was shown: if it has changed since, the broker refuses.
        const body = { digest: request.digest, comment: options.comment }
        const decided = await api.call(`POST /api/v1/requests/:id/${verdict}`, { params: { id }, body })
        if (options.json) printJson(decided)
        else if (verdict === 'deny') printLine(`${id} was denied`)
        else printOutcome(decided)
      })
  }
  program
    .command('cancel <request>')
    .description('cancel one of your requests')
    .action(async (id: string) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      await api.call('POST /api/v1/requests/:id/cancel', { params: { id } })
      printLine(`${id} was cancelled`)
    })
}

/** Without a terminal there is no one to ask, so `--yes` is required. */
async function confirm(verdict: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(`sallyport: cannot ask for confirmation without a terminal; use --yes to ${verdict}\n`)
    return false
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await prompt.question(`${verdict} this request? [y/N] `)).trim())
  } finally {
    prompt.close()
  }
}

function print(requests: readonly RequestView[]): void {
  printTable(
    ['REQUEST', 'RESOURCE', 'LEVEL', 'FOR', 'WHO', 'REASON', 'STATUS', 'STAGE', 'YOU'],
    requests.map((r) => [
      r.id,
      r.resourceId,
      r.level,
      formatRemaining(r.durationMs),
      shownName(r.beneficiary),
      [r.ticket, r.reason].filter(Boolean).join(' ') || '-',
      r.status,
      describeStage(r),
      r.canDecide ? 'can decide' : '-',
    ]),
    'no requests',
  )
}
