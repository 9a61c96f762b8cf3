import { printable } from '../../../proxy/printable.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { TargetReport } from '../../contract/aws.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson } from '../output.ts'

const marks = { ok: 'ok     ', warn: 'WARNING', fail: 'FAILED ' } as const

/** `sallyport aws validate RESOURCE`: exit code 1 when a level fails a check; null: the broker does not sign in to it itself. */
export async function validateTarget(
  server: { server?: string },
  resource: string,
  options: { readonly json?: boolean; readonly level?: string; readonly login?: string },
): Promise<number | null> {
  const api = await openApiClient(server)
  const { login } = options
  const reports: TargetReport[] = []
  const waiting: (string | undefined)[] = [options.level]
  while (waiting.length > 0) {
    // One at a time, so that each is seen as it is done, and no call takes long.
    const level = waiting.shift()
    const body = { resource, ...(level === undefined ? {} : { level }), ...(login === undefined ? {} : { login }) }
    const report = await api.call('POST /api/v1/aws/preflight', { body }).catch((error: unknown) => {
      if (error instanceof BrokerError && error.code === 'UNSUPPORTED') return null
      throw error
    })
    if (report === null) return null
    if (level === undefined) waiting.push(...report.levels.filter((name) => name !== report.level))
    reports.push(report)
    if (!options.json) print(report)
  }
  if (options.json) printJson(reports)
  else process.stdout.write(`${summary(reports)}\n`)
  return reports.every(({ ok }) => ok) ? exitCodes.done : exitCodes.failed
}

function summary(reports: readonly TargetReport[]): string {
  const failed = reports.filter(({ ok }) => !ok).map(({ level }) => level)
  if (failed.length > 0) return `failed: level ${failed.map(printable).join(', ')}`
  return reports.length === 1 ? '1 level passed' : `all ${reports.length} levels passed`
}

function print({ resource, level, session, checks }: TargetReport): void {
  process.stdout.write(
    `${printable(resource)} at level ${printable(level)}${session === '' ? '' : `, session ${printable(session)}`}\n`,
  )
  for (const { check, outcome, detail, fix } of checks) {
    process.stdout.write(`  ${marks[outcome]} ${printable(check)}: ${printable(detail)}\n`)
    if (fix !== null) process.stdout.write(`          ${printable(fix)}\n`)
  }
}
