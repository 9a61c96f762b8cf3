import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { unlinkFile } from '../../../proxy/local/replace-file.ts'
import { untilStopped, withDeps } from '../connect/connect-deps.ts'
import { GrantWatch } from '../connect/grant-watch.ts'
import { type ConnectDeps, warn } from '../connect/open-connections.ts'
import { listResources } from '../connect/target.ts'
import { exitCodes } from '../output.ts'
import { openRoleEndpoint, type RoleEndpoint } from './endpoint.ts'
import { quietFiles } from './quiet-files.ts'
import { chooseShell, setVariable } from './shell-text.ts'
import { rivalsIn } from './variables.ts'

export interface ServeOptions {
  readonly level?: string
  readonly port?: number
  readonly imds?: boolean
  readonly tokenFile?: string
  readonly shell?: string
  readonly json?: boolean
}

/** `sallyport aws ROLE serve`: stays until Ctrl-C (0) or until the grant has ended (4). */
export async function serveRole(server: { server?: string }, resource: string, options: ServeOptions): Promise<number> {
  return await untilStopped((signal) => withDeps(server, (deps) => serve({ ...deps, signal }, resource, options)))
}

async function serve(
  deps: ConnectDeps & { readonly signal: AbortSignal },
  resource: string,
  options: ServeOptions,
): Promise<number> {
  await using cleanup = new AsyncDisposableStack()
  const watch = new GrantWatch({ load: async () => listResources(await deps.openApi()), now: deps.now, warn })
  const onRefused = (why: string) => {
    warn(why)
    watch.poke()
  }
  const { port = 0, imds = false, level } = options
  const open = await openRoleEndpoint(deps, { resource, level, tool: 'serve' }, { port, imds, onRefused })
  cleanup.defer(() => open.endpoint.close())
  const { first } = open
  const tokenFile = options.tokenFile === undefined ? undefined : resolve(options.tokenFile)
  if (tokenFile !== undefined) await writeTokenFile(tokenFile, open.token, cleanup)
  const files = await quietFiles(deps.env, cleanup)
  show(open, files, { ...options, ...(tokenFile === undefined ? {} : { tokenFile }) }, deps.env)
  const name = first.resource.slice(first.resource.lastIndexOf('/') + 1)
  const target = { id: first.resource, name, level: first.level, endsAt: first.expiresAt }
  const outcome = await watch.run([target], deps.signal, () => warn(`the grant on ${name} ended`))
  return outcome === 'stopped' ? exitCodes.done : exitCodes.denied
}

/** A file of its own, gone with this command. No line break at the end: tools send it as it is. */
async function writeTokenFile(path: string, token: string, cleanup: AsyncDisposableStack): Promise<void> {
  await unlinkFile(path) // so that no mode and no link of an earlier one stays
  await writeFile(path, token, { mode: 0o600, flag: 'wx' })
  cleanup.defer(() => unlinkFile(path))
}

function show(
  { endpoint, token, first }: RoleEndpoint,
  files: Readonly<Record<string, string>>,
  options: ServeOptions,
  env: NodeJS.ProcessEnv,
): void {
  const variables: Readonly<Record<string, string>> = {
    ...files,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.containerUrl,
    ...(options.tokenFile === undefined
      ? { AWS_CONTAINER_AUTHORIZATION_TOKEN: token }
      : { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: options.tokenFile }),
  }
  if (options.json) {
    const { resource, level, roleArn } = first
    const { port, imdsUrl } = endpoint
    process.stdout.write(`${JSON.stringify({ resource, level, roleArn, port, imdsUrl, variables })}\n`)
    return
  }
  const shell = chooseShell(options.shell, env)
  const lines = new Set([...Object.keys(variables), ...rivalsIn(env)])
  process.stdout.write(`# ${first.resource} at level ${first.level}; run this in the shell of your tools:\n`)
  process.stdout.write(`${[...lines].map((name) => setVariable(shell, name, variables[name])).join('\n')}\n`)
  if (endpoint.imdsUrl)
    process.stdout.write(
      `# or, for tools that only support instance metadata (every process on this machine can use it):\n# ${setVariable(shell, 'AWS_EC2_METADATA_SERVICE_ENDPOINT', endpoint.imdsUrl)}\n`,
    )
  process.stderr.write('Press Ctrl-C to stop.\n')
}
