import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { printable, printJson, printTable, when } from '../output.ts'
import { type Asked, type Grant, printAsked } from './access-request.ts'

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
      const { grants } = await api.get<{ grants: Grant[] }>(`/api/v1/grants${options.all ? '?all=true' : ''}`)
      if (options.json) printJson(grants)
      else print(grants)
    })
  program
    .command('revoke <grant>')
    .description('take a grant away now; its sessions are cut within a second')
    .option('--reason <text>', 'told to its holder', '')
    .action(async (id: string, { reason }: { reason: string }) => {
      const api = await open()
      const { grant } = await api.post<{ grant: Grant }>(`/api/v1/grants/${encodeURIComponent(id)}/revoke`, { reason })
      process.stdout.write(`${id} is ${printable(grant.state)}\n`)
    })
  program
    .command('return <grant>')
    .description('give a grant of yours back early')
    .action(async (id: string) => {
      const api = await open()
      await api.post(`/api/v1/grants/${encodeURIComponent(id)}/return`)
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
      const asked = await api.post<Asked>(`/api/v1/grants/${encodeURIComponent(id)}/extend`, {
        durationMs,
        reason,
        ticket,
      })
      if (options.json) printJson(asked)
      else printAsked(asked)
    })
}

function print(grants: readonly Grant[]): void {
  printTable(
    ['GRANT', 'WHO', 'RESOURCE', 'LEVEL', 'STATE', 'UNTIL', 'RULE'],
    grants.map((g) => [g.id, g.principal.name, g.resourceId, g.level, g.state, when(g.endsAt), g.rule]),
    'no grants',
  )
}
