import { awsInstant } from '../../../proxy/local/aws/aws-instant.ts'
import { quickCall } from '../api/quick-call.ts'
import { openLogin } from '../login/login-store.ts'
import { exitCodes, fail } from '../output.ts'
import type { HelperAsk } from './words.ts'

/** `sallyport aws ROLE credential-process`: the JSON that AWS's tools read from a `credential_process`. Never rejects. */
export async function credentialProcess({ role: resource, level, server }: HelperAsk): Promise<number> {
  try {
    const login = await openLogin({ server })
    const body = { resource, level, tool: 'credential-process' }
    const held = await quickCall(login, 'POST /api/v1/aws/credentials', { body })
    const answer = {
      Version: 1,
      AccessKeyId: held.accessKeyId,
      SecretAccessKey: held.secretAccessKey,
      SessionToken: held.sessionToken,
      Expiration: awsInstant(held.expiresAt),
      AccountId: held.accountId,
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
    return exitCodes.done
  } catch (error) {
    return fail(error)
  }
}
