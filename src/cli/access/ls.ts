import type { ResourceView } from '../../contract/resources.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { formatRemaining } from '../duration.ts'
import { type ListOptions, listOptions, printList } from '../lists.ts'
import { printTable } from '../output.ts'

export const registerLs: Register = (program) => {
  const list = program
    .command('ls')
    .description('list the resources you may request, and the access you hold now')
    .option('--kind <kind>', 'only resources of this kind, e.g. rds-postgres')
  listOptions(list, { resource: 'only this resource' }).action(async (options: ListOptions & { kind?: string }) => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const query = { kind: options.kind, resource: options.resource }
    printList(await readList(api, 'GET /api/v1/resources', query, options), options, print)
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
