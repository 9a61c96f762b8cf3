import { createInterface } from 'node:readline/promises'
import type { RequestView } from '../../contract/requests.ts'
import type { Register } from '../cli.ts'
import { formatRemaining } from '../duration.ts'
import { exitCodes, printJson, printTable } from '../output.ts'
import { describeStage, getRequest, printAsked, printRequest } from './access-request.ts'

interface DecideOptions {
  comment?: string
  yes?: boolean
  json?: boolean
}

export const registerRequests: Register = (program) => {
  program
    .command('requests')
    .description('requests that concern you: yours, and those you may decide')
    .option('--all', 'also those that are over')
    .option('--json', 'print JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const { requests } = await api.call('GET /api/v1/requests', { query: { all: options.all } })
      if (options.json) printJson(requests)
      else print(requests)
    })
  for (const verdict of ['approve', 'deny'] as const) {
    program
      .command(`${verdict} <request>`)
      .description(`${verdict} the current stage of a request; it is shown first`)
      .option('--comment <text>', 'why; who asked sees it')
      .option('--yes', 'do not ask back')
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
        else if (verdict === 'deny') process.stdout.write(`${id} was denied\n`)
        else printAsked(decided)
      })
  }
  program
    .command('cancel <request>')
    .description('take back a request of yours')
    .action(async (id: string) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      await api.call('POST /api/v1/requests/:id/cancel', { params: { id } })
      process.stdout.write(`${id} was taken back\n`)
    })
}

/** Without a terminal nobody can be asked back, so `--yes` is needed. */
async function confirm(verdict: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(`sallyport: there is no terminal to ask back on; add --yes to ${verdict}\n`)
    return false
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await prompt.question(`${verdict} this? [y/N] `)).trim())
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
      r.beneficiary.name,
      [r.ticket, r.reason].filter(Boolean).join(' ') || '-',
      r.status,
      describeStage(r),
      r.canDecide ? 'can decide' : '-',
    ]),
    'no requests',
  )
}
