import { Option } from 'commander'
import type { Scope } from '../../contract/route-contract.ts'
import type { ApiTokenView, ConnectTokenView } from '../../contract/tokens.ts'
import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import { printable, printJson, printTable, when } from '../output.ts'

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
  const tokens = program.command('tokens').description('API tokens of programs, and connect tokens of stock clients')
  const client = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return openApiClient(program.opts())
  }
  tokens
    .command('ls')
    .description('tokens that work now, and when they were last used')
    .option('--all', "also other people's (admin)")
    .option('--json', 'print JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const api = await client()
      const [{ tokens: apiTokens }, { connectTokens }] = await Promise.all([
        api.call('GET /api/v1/tokens', { query: { all: options.all } }),
        api.call('GET /api/v1/connect-tokens', { query: { all: options.all } }),
      ])
      if (options.json) printJson({ apiTokens, connectTokens })
      else print(apiTokens, connectTokens)
    })
  const create = tokens
    .command('create [name]')
    .description('an API token named for its use; with --resource a connect token. Shown this once')
    .addOption(new Option('--scope <scope...>', 'what an API token may do').choices(scopes).conflicts('resource'))
    .option('--for <duration>', 'how long it works, e.g. 30d (API token: 30d unless told)', durationArgument)
    .option('--cidr <range>', 'where it may be used from')
    .addOption(new Option('--service-account <name>', 'act as this service account of yours').conflicts('resource'))
    .option('--resource <resource>', 'a connect token for this resource, instead of an API token')
    .addOption(new Option('--level <level>', 'with --resource: access level').conflicts('serviceAccount'))
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
        `${created.id} works until ${when(created.expiresAt)} UTC for: ${scopeList}. It is not shown again.\n`,
      )
    })
  tokens
    .command('revoke <id>')
    .description('end a token now: api_… of an API token, t_… of a connect token')
    .action(async (id: string) => {
      const api = await client()
      if (id.startsWith('api_')) await api.call('DELETE /api/v1/tokens/:id', { params: { id } })
      else await api.call('DELETE /api/v1/connect-tokens/:id', { params: { id: id.replace(/^t_/, '') } })
      process.stdout.write(`${printable(id)} is revoked\n`)
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
    ['TOKEN', 'FOR', 'MAY', 'FROM', 'EXPIRES', 'LAST USED'],
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
