import { printable } from '../../../proxy/printable.ts'
import type { Validation, ValidationReport } from '../../contract/aws.ts'
import type { ApiClient } from '../api/api-client.ts'
import { readList } from '../api/read-list.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson } from '../output.ts'
import { printProbe, probeEvents } from './validate-events.ts'

const marks = { ok: 'ok     ', warning: 'WARNING', failed: 'FAILED ', unknown: 'unknown' } as const

export interface ValidateOptions {
  readonly json?: boolean
  /** Shows what the last run found. */
  readonly last?: boolean
}

/** `sallyport aws validate`: exit code 1 when a check of some subject fails, or a probe does not come through the queue of events. @param named an account, `hub`, `rules` or a resource */
export async function validate(
  server: { server?: string },
  named: string | undefined,
  options: ValidateOptions,
): Promise<number> {
  const api = await openApiClient(server)
  const asked = named !== undefined && /^\d{12}$/.test(named) ? `account/${named}` : named
  const reports: ValidationReport[] = []
  for (const subject of asked === undefined ? await subjects(api, options) : [asked]) {
    // One at a time, so that each is seen as it is done, and no call takes long.
    const report = options.last
      ? await lastReport(api, subject)
      : await api.call('POST /api/v1/validations/run', { body: { subject } })
    reports.push(report)
    if (!options.json) printReport(report)
  }
  if (options.json) printJson(reports)
  else process.stdout.write(`${summary(reports)}\n`)
  const probe = named === undefined && !options.json && !options.last ? await probeEvents(api) : null
  if (probe) printProbe(probe)
  return reports.every(({ ok }) => ok) && probe?.outcome !== 'failed' ? exitCodes.done : exitCodes.failed
}

/** Resources are not among them, of which there may be many. With what the last runs found, those that failed are. */
async function subjects(api: ApiClient, { last }: ValidateOptions): Promise<string[]> {
  const { items } = await readList(api, 'GET /api/v1/validations/subjects', {}, { all: true })
  const isWhole = (subject: string) => /^(hub|rules|account\/\d{12})$/.test(subject)
  const chosen = items.filter(({ subject, failed }) => isWhole(subject) || (last && failed > 0))
  return chosen.map(({ subject }) => subject).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rank(subject: string): number {
  if (subject === 'hub') return 0
  return subject.startsWith('account/') ? 1 : 2
}

async function lastReport(api: ApiClient, subject: string): Promise<ValidationReport> {
  const { items } = await readList(api, 'GET /api/v1/validations', { subject }, { all: true })
  const ranAt = Math.max(0, ...items.map((one) => one.ranAt))
  return { subject, ranAt, ok: items.every(({ status }) => status !== 'failed'), validations: items }
}

function summary(reports: readonly ValidationReport[]): string {
  const failed = reports.filter(({ ok }) => !ok).map(({ subject }) => subject)
  if (failed.length > 0) return `failed: ${failed.map(printable).join(', ')}`
  return reports.length === 1 ? `${printable(reports[0]?.subject ?? '')} passed` : `all ${reports.length} passed`
}

export function printReport({ subject, validations, ranAt }: ValidationReport): void {
  const allowed = validations.filter(({ about, status }) => about === 'permission' && status === 'ok')
  process.stdout.write(`${printable(subject)}${ranAt === 0 ? ', not checked yet' : ''}\n`)
  for (const one of validations) if (!allowed.includes(one)) printOne(one)
  if (allowed.length > 0) process.stdout.write(`  ${marks.ok} ${permissions(allowed)}\n`)
}

function permissions(allowed: readonly Validation[]): string {
  const called = allowed.filter((one) => one.called === 'allowed').length
  const all = allowed.length === 1 ? '1 permission' : `${allowed.length} permissions`
  return `${all} allowed: ${called} by a call, the others by simulation alone`
}

function printOne({ about, check, status, severity, simulated, called, why, detail, fix }: Validation): void {
  const both = about === 'permission' ? ` (simulation: ${simulated ?? 'none'}, call: ${called ?? 'none'})` : ''
  process.stdout.write(`  ${marks[status]} ${printable(check)}: ${printable(detail)}${both}\n`)
  if (status !== 'ok' && about === 'permission') process.stdout.write(`          ${severity}: ${printable(why)}\n`)
  if (fix !== null) process.stdout.write(`          ${printable(fix)}\n`)
}
