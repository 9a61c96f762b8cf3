import { withDeps } from '../connect/connect-deps.ts'
import { warn } from '../connect/open-connections.ts'
import { runProgram } from '../connect/run-program.ts'
import { openRoleEndpoint } from './endpoint.ts'
import { quietFiles } from './quiet-files.ts'
import { withoutRivals } from './variables.ts'

/**
 * `sallyport aws ROLE exec -- CMD`: a container endpoint for as long as the command runs, so that its tools renew by themselves.
 * Whatever else could give them credentials is kept from them.
 * @returns the command's exit code
 */
export async function execWithRole(
  server: { server?: string },
  resource: string,
  [program = '', ...args]: readonly string[],
  { level }: { readonly level?: string },
): Promise<number> {
  return await withDeps(server, async (deps) => {
    await using cleanup = new AsyncDisposableStack()
    const tool = `exec ${program.slice(program.lastIndexOf('/') + 1)}`.slice(0, 128)
    let refusal = ''
    const onRefused = (why: string) => {
      if (why !== refusal) warn(why)
      refusal = why
    }
    const { endpoint, token } = await openRoleEndpoint(
      deps,
      { resource, level, tool },
      { port: 0, imds: false, onRefused },
    )
    cleanup.defer(() => endpoint.close())
    const env = await roleEnvironment(deps.env, { url: endpoint.containerUrl, token }, cleanup)
    return await runProgram(program, args, env, "check the command's spelling")
  })
}

/** What a command under a role gets to see: the endpoint, and nothing that any SDK would ask before it. */
export async function roleEnvironment(
  env: NodeJS.ProcessEnv,
  { url, token }: { readonly url: string; readonly token: string },
  cleanup: AsyncDisposableStack,
): Promise<NodeJS.ProcessEnv> {
  return {
    ...withoutRivals(env),
    ...(await quietFiles(env, cleanup)),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: url,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
