import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { Signer } from '@aws-sdk/rds-signer'
import { arns, computeKeys, externalId, region } from '../sandbox/default-world.ts'

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface TokenAsk {
  readonly user?: string
  readonly host: string
  readonly port: number
  /** A session policy for the spoke. */
  readonly policy?: object
}

/**
 * A token as the broker would get it: hub, spoke, the SDK's signer.
 * @param awsUrl of the sandbox
 */
export async function signedToken(awsUrl: string, ask: TokenAsk): Promise<string> {
  const { user = 'sallyport_ro', host, port, policy } = ask
  const assume = async (credentials: Keys, role: string, Policy?: string) => {
    const sts = new STSClient({ endpoint: awsUrl, region, credentials, maxAttempts: 1 })
    const input = { RoleArn: role, RoleSessionName: 'alice', ExternalId: externalId, ...(Policy ? { Policy } : {}) }
    const { Credentials: keys } = await sts.send(new AssumeRoleCommand(input))
    sts.destroy()
    const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = keys ?? {}
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken }
  }
  const hub = await assume(computeKeys, arns.hub)
  const credentials = await assume(hub, arns.connect, policy ? JSON.stringify(policy) : undefined)
  return new Signer({ hostname: host, port, username: user, region, credentials }).getAuthToken()
}
