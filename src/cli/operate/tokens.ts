import { Option } from 'commander'
import type { Scope } from '../../contract/route-contract.ts'
import type { ApiTokenView, ConnectTokenView } from '../../contract/tokens.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { filtersOf, type ListOptions, listOptions, noteRest } from '../lists.ts'
import { printJson, printLine, printTable, when } from '../output.ts'

interface CreateOptions {
  readonly scope?: readonly Scope[]
  readonly for?: number
  readonly cidr?: string
  readonly serviceAccount?: string
  readonly resource?: string
  readonly level?: string
  readonly json?: boolean
}

const scopes: readonly Scope[] = ['read', 'request', 'connect', 'audit', 'admin']
const defaultLifeMs = 30 * 86_400_000

export const registerTokens: Register = (program) => {
  const tokens = program
    .command('tokens')
    .description('manage API tokens for programs and connect tokens for database clients')
  const client = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return openApiClient(program.opts())
  }
  const list = tokens.command('ls').description('list valid tokens, newest first, and when they were last used')
  listOptions(list, {
    all: 'also the tokens of other people (admin)',
    who: 'only tokens that act as this principal, or were made by it',
    resource: 'only connect tokens for this resource',
    time: 'only tokens that were created',
  }).action(async (options: ListOptions) => {
    const api = await client()
    const { resource, ...filters } = filtersOf(options)
    const query = { ...filters, all: options.all }
    const none = { items: [], next: null, total: 0, capped: false }
    const [apiTokens, connectTokens] = await Promise.all([
      resource === undefined ? readList(api, 'GET /api/v1/tokens', query, options) : none,
      readList(api, 'GET /api/v1/connect-tokens', { ...query, resource }, options),
    ])
    if (options.json) printJson({ apiTokens, connectTokens })
    else print(apiTokens.items, connectTokens.items)
    for (const found of [apiTokens, connectTokens]) noteRest(found)
  })
  const create = tokens
    .command('create [name]')
    .description('create an API token or, with --resource, a connect token; it is shown only once')
    .addOption(new Option('--scope <scope...>', 'what the API token may do').choices(scopes).conflicts('resource'))
    .option('--for <duration>', 'lifetime, e.g. 12h or 90d (default for API tokens: 30d)', durationArgument)
    .option('--cidr <range>', 'addresses it may be used from, e.g. 10.0.0.0/8')
    .addOption(
      new Option('--service-account <name>', 'let the token act as this service account, which you must own').conflicts(
        'resource',
      ),
    )
    .option('--resource <resource>', 'create a connect token for this resource instead of an API token')
    .addOption(new Option('--level <level>', 'access level (with --resource)').conflicts('serviceAccount'))
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: CreateOptions) => {
      if (options.resource !== undefined) {
        if (name !== undefined) create.error(`error: a connect token has no name; drop "${name}" or --resource`)
        process.exitCode = await createConnectToken(program.opts(), options.resource, options)
        return
      }
      if (name === undefined || !options.scope)
        return create.error('error: an API token needs a name and --scope, e.g. tokens create ci --scope read')
      const body = apiTokenBody(name, options)
      const created = await (await client()).call('POST /api/v1/tokens', { body })
      if (options.json) return printJson(created)
      process.stdout.write(`${created.token}\n`)
      const scopeList = created.scopes.join(', ')
      process.stderr.write(
        `${created.id} is valid until ${when(created.expiresAt)} with the scopes ${scopeList}. It will not be shown again.\n`,
      )
    })
  tokens
    .command('revoke <id>')
    .description('revoke a token now: api_… is an API token, t_… a connect token')
    .action(async (id: string) => {
      const api = await client()
      if (id.startsWith('api_')) await api.call('DELETE /api/v1/tokens/:id', { params: { id } })
      else await api.call('DELETE /api/v1/connect-tokens/:id', { params: { id: id.replace(/^t_/, '') } })
      printLine(`${id} was revoked`)
    })
}

function apiTokenBody(name: string, options: CreateOptions) {
  return {
    name,
    scopes: [...new Set(options.scope)],
    durationMs: options.for ?? defaultLifeMs,
    ...(options.cidr === undefined ? {} : { cidr: options.cidr }),
    ...(options.serviceAccount === undefined ? {} : { serviceAccount: options.serviceAccount }),
  }
}

async function createConnectToken(
  program: { server?: string },
  resource: string,
  { for: life, level, cidr, json }: CreateOptions,
): Promise<number> {
  const { withDeps } = await import('../connect/connect-deps.ts')
  const { issueToken } = await import('../connect/connect-token.ts')
  const options = {
    ...(level === undefined ? {} : { level }),
    ...(life === undefined ? {} : { for: life }),
    ...(cidr === undefined ? {} : { cidr }),
    ...(json ? { json } : {}),
  }
  return await withDeps(program, (deps) => issueToken(deps, resource, options))
}

function print(apiTokens: readonly ApiTokenView[], connectTokens: readonly ConnectTokenView[]): void {
  printTable(
    ['TOKEN', 'FOR', 'ACCESS', 'FROM', 'EXPIRES', 'LAST USED'],
    [
      ...apiTokens.map((token) => [token.id, token.name, token.scopes.join(', '), ...uses(token)]),
      ...connectTokens.map((token) => [`t_${token.id}`, token.resourceId, token.level, ...uses(token)]),
    ],
    'no tokens',
  )
}

function uses({ cidr, expiresAt, lastUsedAt, lastUsedFrom }: ApiTokenView | ConnectTokenView): string[] {
  const last = lastUsedAt === null ? '-' : `${when(lastUsedAt)}${lastUsedFrom ? ` from ${lastUsedFrom}` : ''}`
  return [cidr ?? 'anywhere', when(expiresAt), last]
}
