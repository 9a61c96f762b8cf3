import { printable } from '../../../proxy/printable.ts'
import type { AccountReport } from '../../contract/aws.ts'
import type { ApiClient } from '../api/api-client.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson } from '../output.ts'

const marks = { ok: 'ok     ', failed: 'FAILED ', skipped: 'skipped' } as const

/** `sallyport aws validate`: exit code 1 when an account fails a check. */
export async function validate(
  server: { server?: string },
  account: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const api = await openApiClient(server)
  const reports: AccountReport[] = []
  for (const one of account === undefined ? await registered(api) : [account]) {
    // One at a time, so that each is seen as it is done, and no call takes long.
    const { accounts } = await api.call('POST /api/v1/aws/validate', { body: { account: one } })
    reports.push(...accounts)
    if (!options.json) for (const report of accounts) print(report)
  }
  if (options.json) printJson(reports)
  else process.stdout.write(`${summary(reports)}\n`)
  return reports.every(({ ok }) => ok) ? exitCodes.done : exitCodes.failed
}

async function registered(api: ApiClient): Promise<readonly string[]> {
  const { accounts } = await api.call('GET /api/v1/aws/installation')
  return Object.keys(accounts)
}

function summary(reports: readonly AccountReport[]): string {
  const failed = reports.filter(({ ok }) => !ok).map(({ account }) => account)
  if (reports.length === 0) return 'no accounts are registered; add them to aws.accounts'
  if (failed.length > 0) return `failed: ${failed.join(', ')}`
  return reports.length === 1 ? '1 account passed' : `all ${reports.length} accounts passed`
}

function print({ account, trust, findings }: AccountReport): void {
  process.stdout.write(`account ${printable(account)}, trust ${trust}\n`)
  for (const { check, outcome, detail, fix } of findings) {
    process.stdout.write(`  ${marks[outcome]} ${printable(check)}: ${printable(detail)}\n`)
    if (fix !== null) process.stdout.write(`          ${printable(fix)}\n`)
  }
}
