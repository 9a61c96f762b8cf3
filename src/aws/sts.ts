import type { AssumeRoleCommandInput, AssumeRoleWithWebIdentityCommandInput, STSClient } from '@aws-sdk/client-sts'
import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AwsCredentials } from './aws.ts'
import { type AwsStep, toAwsError, toWebIdentityError } from './aws-errors.ts'
import { clientOptions, defaultChain, toIdentity } from './client-options.ts'
import { counted } from './counted.ts'

export interface StsDeps {
  readonly config: Pick<Config['aws'], 'regions' | 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly logger: Logger
}

/** Credentials for the next call; called each time to get the newest. Undefined: the default provider chain. */
export type Caller = (() => Promise<AwsCredentials>) | undefined

export interface Sts {
  /** @param caller the same function for the same role: a client is kept for each @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  assumeRole(caller: Caller, input: AssumeRoleCommandInput, step: AwsStep): Promise<AwsCredentials>
  /** Not signed: only the token authenticates. @throws BrokerError AWS_DENIED, LOGIN_REQUIRED, AWS_UNAVAILABLE */
  assumeRoleWithWebIdentity(input: AssumeRoleWithWebIdentityCommandInput): Promise<AwsCredentials>
}

/** Percent of the space for session policies and tags from which a warning is logged: at 100, sessions fail to open. */
const packedWarning = 80

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
  const read = ({ Credentials, PackedPolicySize: percent = 0, SourceIdentity }: Assumed, role: string | undefined) => {
    if (percent > packedWarning)
      deps.logger.warn({ percent, role }, 'session policy and tags have nearly reached the size limit of STS')
    return { ...toCredentials(Credentials, SourceIdentity), packedPercent: percent }
  }
  return {
    assumeRole: async (caller, input, step) => {
      try {
        return await counted(deps.metrics, { service: 'sts', operation: 'AssumeRole' }, async () => {
          const [client, { AssumeRoleCommand }] = await Promise.all([clientFor(caller), import('@aws-sdk/client-sts')])
          return read(await client.send(new AssumeRoleCommand(input)), input.RoleArn)
        })
      } catch (error) {
        throw toAwsError(error, step)
      }
    },
    assumeRoleWithWebIdentity: async (input) => {
      try {
        return await counted(deps.metrics, { service: 'sts', operation: 'AssumeRoleWithWebIdentity' }, async () => {
          const [client, { AssumeRoleWithWebIdentityCommand }] = await Promise.all([
            clientFor(unsigned),
            import('@aws-sdk/client-sts'),
          ])
          return read(await client.send(new AssumeRoleWithWebIdentityCommand(input)), input.RoleArn)
        })
      } catch (error) {
        throw toWebIdentityError(error, input.RoleArn ?? '')
      }
    },
  }
}

/** Common part of both answers to assuming a role. */
interface Assumed {
  readonly Credentials?: Answer | undefined
  readonly PackedPolicySize?: number | undefined
  readonly SourceIdentity?: string | undefined
}

/** For calls that are not signed. */
const unsigned: Caller = () => Promise.reject(new Error('this call needs no credentials'))

async function createClient({ config }: StsDeps, caller: Caller): Promise<STSClient> {
  const { STSClient } = await import('@aws-sdk/client-sts')
  return new STSClient({
    ...(await clientOptions(config, 'sts')),
    // Regional: the global endpoint’s tokens may be invalid in opt-in regions.
    region: config.regions[0] ?? 'us-east-1',
    credentials: caller ? () => caller().then(toIdentity) : await defaultChain(),
  })
}

type Answer = {
  AccessKeyId?: string | undefined
  SecretAccessKey?: string | undefined
  SessionToken?: string | undefined
  Expiration?: Date | undefined
}

function toCredentials(answer: Answer | undefined, sourceIdentity: string | undefined): AwsCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
    throw new BrokerError('AWS_UNAVAILABLE', 'STS answered without credentials')
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiresAt: Expiration.getTime(),
    ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
  }
}
