import { openApiClient } from './login-store.ts'
import { exitCodes, printable, printJson } from './output.ts'

/** Answer of POST /api/v1/aws/validate. */
interface AccountReport {
  readonly account: string
  readonly trust: string
  readonly ok: boolean
  readonly findings: readonly {
    readonly check: string
    readonly outcome: 'ok' | 'failed' | 'skipped'
    readonly detail: string
    readonly fix: string | null
  }[]
}

const marks = { ok: 'ok     ', failed: 'FAILED ', skipped: 'skipped' } as const

/** `sallyport aws validate`: exit code 1 when an account is not as it must be. */
export async function validate(
  server: { server?: string },
  account: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const api = await openApiClient(server)
  const { accounts } = await api.post<{ accounts: AccountReport[] }>('/api/v1/aws/validate', { account })
  if (options.json) printJson(accounts)
  else for (const report of accounts) print(report)
  return accounts.every(({ ok }) => ok) ? exitCodes.done : exitCodes.failed
}

function print({ account, trust, findings }: AccountReport): void {
  process.stdout.write(`account ${account}, trust ${trust}\n`)
  for (const { check, outcome, detail, fix } of findings) {
    process.stdout.write(`  ${marks[outcome]} ${printable(check)}: ${printable(detail)}\n`)
    if (fix !== null) process.stdout.write(`          ${printable(fix)}\n`)
  }
}
