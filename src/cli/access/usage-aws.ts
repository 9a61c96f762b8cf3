import { BrokerError } from '../../../proxy/session.ts'
import type { AwsUsage } from '../../contract/grants.ts'
import { printJson, printLine, printTable, shownName, when } from '../output.ts'

type Api = Awaited<ReturnType<typeof import('../login/login-store.ts')['openApiClient']>>

interface Options {
  readonly resource?: string
  readonly since?: number
  readonly until?: number
  readonly json?: boolean
  readonly withoutGrant?: boolean
}

/** What was done in AWS, by which grant. @throws BrokerError INVALID_INPUT */
export async function showAws(api: Api, options: Options): Promise<void> {
  const { since, until, json, withoutGrant } = options
  const resource = named(options, withoutGrant ? '--without-grant' : '--aws', 'ROLE or INSTANCE')
  const found = await api.call('GET /api/v1/usage/aws', { query: { resource, since, until } })
  const usage = withoutGrant
    ? { ...found, uses: found.uses.filter(({ grantId }) => grantId === null), unused: [] }
    : found
  if (json) printJson(usage)
  else printAws(usage)
}

/** Which services a role was used for. @throws BrokerError INVALID_INPUT */
export async function showServices(api: Api, options: Options): Promise<void> {
  const resource = named(options, '--services', 'ROLE')
  const usage = await api.call('GET /api/v1/usage/services', { query: { resource } })
  if (options.json) return printJson(usage)
  const { role } = usage
  if (role) printLine(role.at === null ? 'not used in 400 days' : `last used ${when(role.at)} in ${role.region}`)
  printTable(
    ['SERVICE', 'NAME', 'LAST USED', 'REGION'],
    usage.services.map(({ service, name, lastUsedAt, region }) => [
      service,
      name,
      lastUsedAt === null ? 'not in 400 days' : when(lastUsedAt),
      region ?? '-',
    ]),
    'its policies name no service',
  )
}

function named({ resource }: Options, option: string, what: string): string {
  if (resource === undefined) throw new BrokerError('INVALID_INPUT', `${option} needs --resource ${what}`)
  return resource
}

function printAws({ uses, unused, isWhole, since }: AwsUsage): void {
  printTable(
    ['AT', 'GRANT', 'KNOWN BY', 'SESSION', 'BY', 'SESSION NAME', 'SOURCE IDENTITY', 'REGION'],
    uses.map((use) => [
      when(use.at),
      use.grantId ?? 'NO GRANT',
      use.match ?? '-',
      use.sessionId ?? '-',
      use.by ?? '-',
      use.sessionName ?? '-',
      use.sourceIdentity ?? '-',
      use.region,
    ]),
    `no use of it since ${when(since)}, as far as AWS's logs have it`,
  )
  if (unused.length > 0) {
    printLine('')
    printLine('grants without a use in AWS:')
    printTable(
      ['GRANT', 'WHO', 'LEVEL', 'FROM', 'UNTIL', 'SESSIONS'],
      unused.map(({ grantId, principal, level, startsAt, endsAt, sessions }) => [
        ...[grantId, shownName(principal), level, when(startsAt), when(endsAt), String(sessions)],
      ]),
      '',
    )
  }
  if (!isWhole) process.stderr.write('there is more than was read; ask for less time with --since and --until\n')
}
