import type { GrantUsage } from '../../contract/grants.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { printTable, shownName, when } from '../output.ts'

interface UsageOptions extends ListOptions {
  readonly used?: boolean
  readonly neverUsed?: boolean
  readonly aws?: boolean
  readonly withoutGrant?: boolean
  readonly services?: boolean
}

export const registerUsage: Register = (program) => {
  const list = program
    .command('usage')
    .description('show how active grants were used: your own, and those you may revoke')
    .option('--used', 'only grants that were used')
    .option('--never-used', 'only grants that never were')
    .option(
      '--aws',
      'who was given keys of the role that --resource names, or had sessions on the instance, with a grant or without one, and grants without a use, by CloudTrail and Session Manager; for auditors',
    )
    .option('--without-grant', 'the same, but only what was done without a grant')
    .option(
      '--services',
      'which services the role that --resource names was used for, and when last, by IAM; for auditors',
    )
  listOptions(list, {
    all: 'also grants that have ended',
    who: 'only grants of this principal',
    resource: 'only grants of this resource',
    time: 'only grants that began',
  }).action(async (options: UsageOptions) => {
    const { all, used, neverUsed } = options
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    if (options.aws || options.withoutGrant || options.services) {
      const { showAws, showServices } = await import('./usage-aws.ts')
      return await (options.services ? showServices(api, options) : showAws(api, options))
    }
    const query = { ...filtersOf(options), all, used: neverUsed ? false : used }
    printList(await readList(api, 'GET /api/v1/usage', query, options), options, print)
  })
}

function print(usage: readonly GrantUsage[]): void {
  printTable(
    ['GRANT', 'WHO', 'RESOURCE', 'LEVEL', 'STATE', 'SESSIONS', 'FIRST USED', 'LAST USED'],
    usage.map(({ grant, sessions, open, firstUsedAt, lastUsedAt }) => [
      grant.id,
      shownName(grant.principal),
      grant.resourceId,
      grant.level,
      grant.state,
      open > 0 ? `${sessions}, ${open} open` : String(sessions),
      firstUsedAt === null ? 'never' : when(firstUsedAt),
      lastUsedAt === null ? '-' : open > 0 ? 'now' : when(lastUsedAt),
    ]),
    'no grants',
  )
}
