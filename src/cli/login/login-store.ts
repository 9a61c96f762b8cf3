import { BrokerError } from '../../../proxy/session.ts'
import { type ApiClient, createApiClient } from '../api/api-client.ts'
import { type KeptLogin, loginFilePath, readLoginFile, writeLoginFile } from './login-file.ts'
import { serverAddress } from './server-address.ts'

/**
 * A client with the stored login: for `--server`, else `SALLYPORT_SERVER`, else the server last signed in to.
 * `SALLYPORT_TOKEN` (an API token) takes the place of a login, for programs.
 * @throws BrokerError LOGIN_REQUIRED (exit code 3)
 */
export type OpenApiClient = (options: { server?: string | undefined }) => Promise<ApiClient>

export const openApiClient: OpenApiClient = async (options) => {
  const { server, token } = await openLogin(options)
  return createApiClient(server, token)
}

/** The login itself, for commands that do not use the API client. */
export async function openLogin(options: { server?: string | undefined }): Promise<{ server: string; token: string }> {
  const { server, login } = await currentLogin(options, process.env)
  await trust(login?.ca ?? null)
  const token = process.env.SALLYPORT_TOKEN ?? login?.token
  if (token === undefined)
    throw new BrokerError('LOGIN_REQUIRED', undefined, { hint: `run: sallyport login --server ${server}` })
  return { server, token }
}

/** @throws BrokerError LOGIN_REQUIRED when no server is known */
export async function currentLogin(
  options: { server?: string | undefined },
  env: NodeJS.ProcessEnv,
): Promise<{ server: string; login: KeptLogin | undefined }> {
  const file = await readLoginFile(loginFilePath(env))
  const named = options.server ?? env.SALLYPORT_SERVER
  const server = named ? serverAddress(named) : file.current
  if (server === null)
    throw new BrokerError('LOGIN_REQUIRED', undefined, { hint: 'run: sallyport login --server https://…' })
  return { server, login: file.servers[server] }
}

/** From now on this server is the one used when none is named. */
export async function keepLogin(server: string, login: KeptLogin, env: NodeJS.ProcessEnv): Promise<void> {
  const path = loginFilePath(env)
  const file = await readLoginFile(path)
  await writeLoginFile(path, { ...file, current: server, servers: { ...file.servers, [server]: login } })
}

/** The server stays the current one, so that `sallyport login` needs no address again. */
export async function forgetLogin(server: string, env: NodeJS.ProcessEnv): Promise<void> {
  const path = loginFilePath(env)
  const file = await readLoginFile(path)
  const { [server]: _, ...servers } = file.servers
  await writeLoginFile(path, { ...file, servers })
}

export async function trust(ca: string | null): Promise<void> {
  if (ca === null) return
  const { trustCa } = await import('./trust-ca.ts')
  trustCa(ca, process.env)
}
