import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { proxyEnvironment } from '../../proxy/proxy-environment.ts'
import type { Config } from '../config/config.ts'
import type { Aws, AwsCredentials } from './aws.ts'

const connectionMs = 3000
/** For one attempt; the SDK makes three. */
const requestMs = 4000

/**
 * Options of every AWS client, apart from region and credentials.
 * @param requestTimeout of one attempt, for services whose answers take longer to begin
 */
export async function clientOptions(
  config: Pick<Config['aws'], 'endpoints'>,
  service: string,
  requestTimeout: number = requestMs,
) {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler')
  const proxyEnv = proxyEnvironment(process.env)
  const agent = { keepAlive: true, maxSockets: 50, ...(proxyEnv ? { proxyEnv } : {}) }
  const endpoint = config.endpoints[service] ?? config.endpoints['*']
  return {
    retryMode: 'adaptive',
    maxAttempts: 3,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectionMs,
      requestTimeout,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    }),
    ...(endpoint === undefined ? {} : { endpoint }),
  }
}

const iamRegions: Readonly<Record<string, string>> = { 'aws-cn': 'cn-north-1', 'aws-us-gov': 'us-gov-west-1' }

/** IAM is one endpoint for each partition, and signs for this region. */
export function iamRegionOf(partition: string): string {
  return iamRegions[partition] ?? 'us-east-1'
}

/** Credentials as the SDK's clients take them. */
export function toIdentity({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: AwsCredentials) {
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiresAt) }
}

/** What clients in the hub's account sign with. */
export async function hubIdentity({ hub }: Pick<Aws, 'hub'>) {
  return hub ? () => hub().then(toIdentity) : await defaultChain()
}

/** The daemon's own identity, wherever the SDK finds one. */
export async function defaultChain() {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
  return fromNodeProviderChain()
}
