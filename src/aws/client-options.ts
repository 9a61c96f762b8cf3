import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { proxyEnvironment } from '../../proxy/proxy-environment.ts'
import type { Config } from '../config/config.ts'
import type { AwsCredentials } from './aws.ts'

const connectionMs = 3000
/** For one attempt; the SDK makes three. */
const requestMs = 4000

/** Options of every AWS client, apart from region and credentials. */
export async function clientOptions(config: Pick<Config['aws'], 'endpoints'>, service: string) {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler')
  const proxyEnv = proxyEnvironment(process.env)
  const agent = { keepAlive: true, maxSockets: 50, ...(proxyEnv ? { proxyEnv } : {}) }
  const endpoint = config.endpoints[service] ?? config.endpoints['*']
  return {
    retryMode: 'adaptive',
    maxAttempts: 3,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectionMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    }),
    ...(endpoint === undefined ? {} : { endpoint }),
  }
}

/** Credentials as the SDK's clients take them. */
export function toIdentity({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: AwsCredentials) {
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiresAt) }
}
