import type { ResourceView } from '../../contract/resources.ts'
import type { Register } from '../cli.ts'
import { formatRemaining } from '../duration.ts'
import { printJson, printTable } from '../output.ts'

export const registerLs: Register = (program) => {
  program
    .command('ls')
    .description('list the resources you may request, and the access you hold now')
    .option('--kind <kind>', 'only resources of this kind, e.g. rds-postgres')
    .option('--json', 'print JSON')
    .action(async (options: { kind?: string; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const { resources } = await api.call('GET /api/v1/resources', { query: { kind: options.kind } })
      if (options.json) printJson(resources)
      else print(resources)
    })
}

function print(resources: readonly ResourceView[]): void {
  const now = Date.now()
  printTable(
    ['NAME', 'RESOURCE', 'LEVELS', 'YOU HOLD', 'TAGS'],
    resources.map((r) => [
      r.name,
      r.id,
      r.levels.join(', ') || '-',
      r.grants.map((g) => `${g.level} for ${formatRemaining(g.endsAt - now)}`).join(', ') || '-',
      Object.entries(r.tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ]),
    'no resources: no rule gives you access to any',
  )
}
