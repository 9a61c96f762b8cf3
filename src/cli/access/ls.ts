import { Option } from 'commander'
import type { ResourceView } from '../../contract/resources.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { formatRemaining } from '../duration.ts'
import { type ListOptions, listOptions, printList } from '../lists.ts'
import { printTable } from '../output.ts'

const severities = ['low', 'medium', 'high'] as const

interface LsOptions extends ListOptions {
  readonly kind?: string
  readonly risk?: (typeof severities)[number]
}

export const registerLs: Register = (program) => {
  const list = program
    .command('ls')
    .description('list the resources you may request, and the access you hold now')
    .option('--kind <kind>', 'only resources of this kind, e.g. rds-postgres')
    .addOption(
      new Option(
        '--risk [severity]',
        'what makes access riskier than it should be, as AWS has it: findings of at least this severity, low, medium or high; for admins and auditors',
      )
        .choices(severities)
        .preset('low'),
    )
  listOptions(list, { resource: 'only this resource' }).action(async (options: LsOptions) => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const query = { kind: options.kind, risk: options.risk, resource: options.resource }
    const show = options.risk === undefined ? print : printRisk
    printList(await readList(api, 'GET /api/v1/resources', query, options), options, show)
  })
}

function print(resources: readonly ResourceView[]): void {
  const now = Date.now()
  const isPlaced = resources.some(({ shown, path }) => shown.state !== undefined || path !== null)
  printTable(
    ['NAME', 'RESOURCE', ...(isPlaced ? ['UNIT', 'STATE'] : []), 'LEVELS', 'YOU HOLD', 'TAGS'],
    resources.map((r) => [
      r.shown.title ?? r.name,
      r.id,
      ...(isPlaced ? [r.path ?? '-', r.shown.state ?? '-'] : []),
      r.levels.join(', ') || '-',
      r.grants.map((g) => `${g.level} for ${formatRemaining(g.endsAt - now)}`).join(', ') || '-',
      Object.entries(r.tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ]),
    'no resources: no rule gives you access to any',
  )
}

/** A line for each finding, and one for the sum of what is beneath. */
function printRisk(resources: readonly ResourceView[]): void {
  printTable(
    ['RESOURCE', 'SEVERITY', 'FINDING', 'REASON', 'WHAT TO DO'],
    resources.flatMap(({ id, shown, risk, riskBeneath }) => [
      ...beneath(riskBeneath).map((sum) => [id, sum.severity, 'beneath', `${shown.title ?? id}: ${sum.text}`, '-']),
      ...risk.map(({ code, severity, reason, fix }) => [id, severity, code, reason, fix ?? '-']),
    ]),
    'nothing was found',
  )
}

function beneath(counts: ResourceView['riskBeneath']) {
  const found = severities.toReversed().filter((one) => (counts?.[one] ?? 0) > 0)
  const [severity] = found
  return severity ? [{ severity, text: found.map((one) => `${counts?.[one]} ${one}`).join(', ') }] : []
}
