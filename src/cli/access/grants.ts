import type { GrantView } from '../../contract/grants.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { printable, printJson, printTable, when } from '../output.ts'
import { printAsked } from './access-request.ts'

export const registerGrants: Register = (program) => {
  const open = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return await openApiClient(program.opts())
  }
  program
    .command('grants')
    .description('live grants: yours, and those you may end')
    .option('--all', 'also those that are over')
    .option('--json', 'print JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const api = await open()
      const { grants } = await api.call('GET /api/v1/grants', { query: { all: options.all } })
      if (options.json) printJson(grants)
      else print(grants)
    })
  program
    .command('revoke <grant>')
    .description('take a grant away now; its sessions are cut within a second')
    .option('--reason <text>', 'told to its holder', '')
    .action(async (id: string, { reason }: { reason: string }) => {
      const api = await open()
      const { grant } = await api.call('POST /api/v1/grants/:id/revoke', { params: { id }, body: { reason } })
      process.stdout.write(`${id} is ${printable(grant.state)}\n`)
    })
  program
    .command('return <grant>')
    .description('give a grant of yours back early')
    .action(async (id: string) => {
      const api = await open()
      await api.call('POST /api/v1/grants/:id/return', { params: { id } })
      process.stdout.write(`${id} was given back\n`)
    })
  program
    .command('extend <grant>')
    .description('ask for more time on a grant of yours')
    .requiredOption('--for <duration>', 'how much more, e.g. 30m, 1h', durationArgument)
    .option('--reason <text>', 'why, if the rule wants a reason')
    .option('--ticket <id>', 'ticket; the one of the first request unless told')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { for: number; reason?: string; ticket?: string; json?: boolean }) => {
      const api = await open()
      const { for: durationMs, reason, ticket } = options
      const body = { durationMs, reason, ticket }
      const asked = await api.call('POST /api/v1/grants/:id/extend', { params: { id }, body })
      if (options.json) printJson(asked)
      else printAsked(asked)
    })
}

function print(grants: readonly GrantView[]): void {
  printTable(
    ['GRANT', 'WHO', 'RESOURCE', 'LEVEL', 'STATE', 'UNTIL', 'RULE'],
    grants.map((g) => [g.id, g.principal.name, g.resourceId, g.level, g.state, when(g.endsAt), g.rule]),
    'no grants',
  )
}
