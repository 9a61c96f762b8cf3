import { expiration, fetchCredentials } from './aws-role.ts'
import { openApiClient } from './login-store.ts'
import { exitCodes } from './output.ts'

/** `sallyport aws ROLE credential-process`: the JSON that AWS's tools read from a `credential_process`. */
export async function credentialProcess(
  server: { server?: string },
  resource: string,
  { level }: { readonly level?: string },
): Promise<number> {
  const api = await openApiClient(server)
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt, accountId } = await fetchCredentials(api, {
    resource,
    level,
    tool: 'credential-process',
  })
  const answer = {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration(expiresAt),
    AccountId: accountId,
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
  return exitCodes.done
}
