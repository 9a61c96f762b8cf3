import type { GrantView } from '../../contract/grants.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { printJson, printLine, printTable, shownName, when } from '../output.ts'
import { printOutcome } from './access-request.ts'

export const registerGrants: Register = (program) => {
  const open = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return await openApiClient(program.opts())
  }
  const list = program
    .command('grants')
    .description('list active grants, newest first: your own, and those you may revoke')
  listOptions(list, {
    all: 'also grants that have ended',
    who: 'only grants of this principal',
    resource: 'only grants of this resource',
    time: 'only grants that began',
  }).action(async (options: ListOptions) => {
    const query = { ...filtersOf(options), all: options.all }
    printList(await readList(await open(), 'GET /api/v1/grants', query, options), options, print)
  })
  program
    .command('revoke <grant>')
    .description('revoke a grant now; its sessions are cut within a second')
    .option('--reason <text>', 'shown to the holder and kept in the audit log')
    .action(async (id: string, { reason = '' }: { reason?: string }) => {
      const api = await open()
      const { grant } = await api.call('POST /api/v1/grants/:id/revoke', { params: { id }, body: { reason } })
      printLine(`${id} is ${grant.state}`)
    })
  program
    .command('return <grant>')
    .description('return one of your grants early')
    .action(async (id: string) => {
      const api = await open()
      await api.call('POST /api/v1/grants/:id/return', { params: { id } })
      printLine(`${id} was returned`)
    })
  program
    .command('extend <grant>')
    .description('request more time on one of your grants')
    .requiredOption('--for <duration>', 'additional time, e.g. 30m or 1h', durationArgument)
    .option('--reason <text>', 'reason, if the rule requires one')
    .option('--ticket <id>', 'ticket (default: the ticket of the original request)')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { for: number; reason?: string; ticket?: string; json?: boolean }) => {
      const api = await open()
      const { for: durationMs, reason, ticket } = options
      const body = { durationMs, reason, ticket }
      const outcome = await api.call('POST /api/v1/grants/:id/extend', { params: { id }, body })
      if (options.json) printJson(outcome)
      else printOutcome(outcome)
    })
}

function print(grants: readonly GrantView[]): void {
  printTable(
    ['GRANT', 'WHO', 'RESOURCE', 'LEVEL', 'STATE', 'UNTIL', 'RULE'],
    grants.map((g) => [g.id, shownName(g.principal), g.resourceId, g.level, stateOf(g), when(g.endsAt), g.rule]),
    'no grants',
  )
  for (const { resourceId, push } of grants)
    if (push?.state === 'granted' && push.portal !== null) printLine(`${resourceId}: ${push.portal}`)
}

/** With how it stands in AWS, where AWS holds it. */
function stateOf({ state, push, outlivesUntil }: GrantView): string {
  const aws = push && (push.reason === null ? push.state : `${push.state}: ${push.reason}`)
  const rest = state !== 'active' && outlivesUntil !== null ? `sessions go on until ${when(outlivesUntil)}` : null
  return [state, aws, rest].filter((one) => one !== null).join(', ')
}
