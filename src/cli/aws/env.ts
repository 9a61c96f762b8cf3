import { awsInstant } from '../../../proxy/local/aws/aws-instant.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson, when } from '../output.ts'
import { fetchCredentials } from './role.ts'
import { chooseShell, setVariable } from './shell-text.ts'
import { rivalsIn } from './variables.ts'

/** `sallyport aws ROLE env`: credentials as they are now, for `eval "$(…)"`. */
export async function printEnv(
  server: { server?: string },
  resource: string,
  options: { readonly level?: string; readonly shell?: string; readonly json?: boolean },
): Promise<number> {
  const shell = chooseShell(options.shell, process.env)
  const api = await openApiClient(server)
  const held = await fetchCredentials(api, { resource, level: options.level, tool: 'env' })
  const values: Readonly<Record<string, string>> = {
    AWS_ACCESS_KEY_ID: held.accessKeyId,
    AWS_SECRET_ACCESS_KEY: held.secretAccessKey,
    AWS_SESSION_TOKEN: held.sessionToken,
    AWS_CREDENTIAL_EXPIRATION: awsInstant(held.expiresAt),
  }
  if (options.json) {
    printJson(values)
    return exitCodes.done
  }
  const lines = new Set([...Object.keys(values), ...rivalsIn(process.env)])
  process.stdout.write(`${[...lines].map((name) => setVariable(shell, name, values[name])).join('\n')}\n`)
  process.stderr.write(
    `# valid until ${when(held.expiresAt)} and not renewed; for longer work use: sallyport aws ${resource} exec -- CMD\n`,
  )
  return exitCodes.done
}
