import { BrokerError } from '../../../proxy/session.ts'
import type { AwsUsage, GrantUsage } from '../../contract/grants.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { printJson, printTable, shownName, when } from '../output.ts'

interface UsageOptions extends ListOptions {
  readonly used?: boolean
  readonly neverUsed?: boolean
  readonly aws?: boolean
}

export const registerUsage: Register = (program) => {
  const list = program
    .command('usage')
    .description('show how active grants were used: your own, and those you may revoke')
    .option('--used', 'only grants that were used')
    .option('--never-used', 'only grants that never were')
    .option(
      '--aws',
      'who was given keys of the role that --resource names, with a grant or without one, by CloudTrail; for auditors',
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
    if (options.aws) return await showAws(api, options)
    const query = { ...filtersOf(options), all, used: neverUsed ? false : used }
    printList(await readList(api, 'GET /api/v1/usage', query, options), options, print)
  })
}

type Api = Awaited<ReturnType<typeof import('../login/login-store.ts')['openApiClient']>>

async function showAws(api: Api, { resource, since, until, json }: UsageOptions): Promise<void> {
  if (resource === undefined) throw new BrokerError('INVALID_INPUT', '--aws needs --resource ROLE')
  const usage = await api.call('GET /api/v1/usage/aws', { query: { resource, since, until } })
  if (json) printJson(usage)
  else printAws(usage)
}

function printAws({ uses, isWhole, since }: AwsUsage): void {
  printTable(
    ['AT', 'GRANT', 'SESSION', 'BY', 'SESSION NAME', 'SOURCE IDENTITY', 'REGION'],
    uses.map((use) => [
      when(use.at),
      use.grantId ?? 'NO GRANT',
      use.sessionId ?? '-',
      use.by ?? '-',
      use.sessionName ?? '-',
      use.sourceIdentity ?? '-',
      use.region,
    ]),
    `nobody was given keys of it since ${when(since)}, as far as CloudTrail has it`,
  )
  if (!isWhole) process.stderr.write('there is more than was read; ask for less time with --since and --until\n')
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
