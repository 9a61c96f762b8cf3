import type { AssumeRoleCommandInput, STSClient } from '@aws-sdk/client-sts'
import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AwsCredentials } from './aws.ts'
import { type AwsStep, outcomeOf, toAwsError } from './aws-errors.ts'

export interface StsDeps {
  readonly config: Pick<Config['aws'], 'regions' | 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

/** Credentials for the next call; asked each time, so that they are the newest. Undefined: the default provider chain. */
export type Caller = (() => Promise<AwsCredentials>) | undefined

export interface Sts {
  /** @param caller the same function for the same role: a client is kept for each @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  assumeRole(caller: Caller, input: AssumeRoleCommandInput, step: AwsStep): Promise<AwsCredentials>
}

const connectionMs = 3000
/** For one attempt; the SDK makes three. */
const requestMs = 4000

/** The SDK is imported with the first call, which costs 0.3 s and 14 MB. */
export function createSts(deps: StsDeps): Sts {
  const clients = new Map<Caller, Promise<STSClient>>()
  const clientFor = (caller: Caller): Promise<STSClient> => {
    let client = clients.get(caller)
    if (!client) {
      client = createClient(deps, caller)
      clients.set(caller, client)
    }
    return client
  }
  return {
    assumeRole: async (caller, input, step) => {
      const count = (outcome: string) =>
        deps.metrics.awsCallsTotal.inc({ service: 'sts', operation: 'AssumeRole', outcome })
      try {
        const [client, { AssumeRoleCommand }] = await Promise.all([clientFor(caller), import('@aws-sdk/client-sts')])
        const { Credentials } = await client.send(new AssumeRoleCommand(input))
        count('ok')
        return toCredentials(Credentials)
      } catch (error) {
        if (!(error instanceof BrokerError)) count(outcomeOf(error))
        throw toAwsError(error, step)
      }
    },
  }
}

async function createClient({ config }: StsDeps, caller: Caller): Promise<STSClient> {
  const [{ STSClient }, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-sts'),
    import('@smithy/node-http-handler'),
  ])
  const endpoint = config.endpoints.sts ?? config.endpoints['*']
  return new STSClient({
    // Regional: the global endpoint’s tokens may be invalid in opt-in regions.
    region: config.regions[0] ?? 'us-east-1',
    retryMode: 'adaptive',
    maxAttempts: 3,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectionMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
    }),
    credentials: caller ? () => caller().then(toIdentity) : await defaultChain(),
    ...(endpoint === undefined ? {} : { endpoint }),
  })
}

async function defaultChain() {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
  return fromNodeProviderChain()
}

function toIdentity({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: AwsCredentials) {
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiresAt) }
}

type Answer = {
  AccessKeyId?: string | undefined
  SecretAccessKey?: string | undefined
  SessionToken?: string | undefined
  Expiration?: Date | undefined
}

function toCredentials(answer: Answer | undefined): AwsCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
    throw new BrokerError('AWS_UNAVAILABLE', 'STS answered without credentials')
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiresAt: Expiration.getTime(),
  }
}
