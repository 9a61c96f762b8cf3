import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { readIfThere } from '../../../proxy/local/replace-file.ts'
import { withDeps } from '../connect/connect-deps.ts'
import { warn } from '../connect/open-connections.ts'
import { runProgram } from '../connect/run-program.ts'
import {
  configFilePath,
  credentialsFilePath,
  findProfile,
  harmlessLines,
  hasCredentials,
  readSections,
  writeSections,
} from './config-file.ts'
import { openRoleEndpoint } from './endpoint.ts'
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
    const env = {
      ...withoutRivals(deps.env),
      ...(await quietFiles(deps.env, cleanup)),
      AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.containerUrl,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
      AWS_EC2_METADATA_DISABLED: 'true',
    }
    return await runProgram(program, args, env, "check the command's spelling")
  })
}

/**
 * Tools ask the default profile before the container endpoint. Where it has credentials, they are shown a copy of the config
 * file without them, and no credentials file.
 */
async function quietFiles(env: NodeJS.ProcessEnv, cleanup: AsyncDisposableStack): Promise<NodeJS.ProcessEnv> {
  const quiet: NodeJS.ProcessEnv = {}
  const credentials = readSections((await readIfThere(credentialsFilePath(env))) ?? '')
  if (findProfile(credentials, 'default')) quiet.AWS_SHARED_CREDENTIALS_FILE = devNull
  const sections = readSections((await readIfThere(configFilePath(env))) ?? '')
  const named = env.AWS_PROFILE ?? env.AWS_DEFAULT_PROFILE ?? 'default'
  const profile = findProfile(sections, named)
  if (named === 'default' && !hasCredentials(profile)) return quiet
  const fallback = findProfile(sections, 'default')
  const copy = [
    { name: 'default', lines: ['[default]', ...harmlessLines(profile), ''] },
    ...sections.filter((section) => section !== fallback),
  ]
  const dir = await mkdtemp(join(tmpdir(), 'sallyport-'))
  cleanup.defer(() => rm(dir, { recursive: true, force: true }))
  const path = join(dir, 'config')
  await writeFile(path, writeSections(copy), { mode: 0o600 })
  return { ...quiet, AWS_CONFIG_FILE: path }
}
