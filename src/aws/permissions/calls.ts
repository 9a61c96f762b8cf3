/** Real calls that are cheap and change nothing, made to find out whether they are allowed. */
import type { IAMClient } from '@aws-sdk/client-iam'
import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AwsCredentials } from '../aws.ts'
import { obstacleIn } from '../aws-errors.ts'
import { clientOptions, iamRegionOf, toIdentity } from '../client-options.ts'
import { counted } from '../counted.ts'
import type { Called } from './judge.ts'

export interface CallDeps {
  readonly config: Pick<Config['aws'], 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly signal: AbortSignal
  /** Undefined: the default provider chain. */
  readonly credentials: (() => Promise<AwsCredentials>) | undefined
}

/** Codes, without `Exception`, by which AWS says that the call was allowed and the thing is not there. */
const gone = ['NoSuchEntity', 'ResourceNotFound', 'InvalidDocument', 'OrganizationalUnitNotFound', 'ChildNotFound']
const refused = ['AccessDenied', 'UnauthorizedOperation', 'AuthorizationError']
/** The region is not enabled in the account. */
const off = ['UnrecognizedClient', 'InvalidClientTokenId', 'AuthFailure', 'OptInRequired', 'RegionDisabled']

const longestText = 300

/** Makes one call. @param action with its service @param run the call itself */
export async function tryCall(
  { metrics }: Pick<CallDeps, 'metrics'>,
  action: string,
  run: () => Promise<unknown>,
): Promise<Called> {
  const [service = '', operation = ''] = action.split(':')
  try {
    await counted(metrics, { service, operation }, run)
    return { decision: 'allowed', obstacle: null, text: '' }
  } catch (error) {
    return toCalled(error)
  }
}

function toCalled(error: unknown): Called {
  const { name = '', message = '' } = error as Error
  const text = message.slice(0, longestText)
  const code = name.replace(/Exception$/, '')
  if (error instanceof BrokerError)
    return { decision: 'unknown', obstacle: null, text, ...(error.hint === undefined ? {} : { fix: error.hint }) }
  if (gone.includes(code)) return { decision: 'allowed', obstacle: null, text: code }
  if (refused.some((one) => code.startsWith(one))) return { decision: 'denied', obstacle: obstacleIn(message), text }
  if (off.includes(code)) return { decision: 'unknown', obstacle: null, text: `the region is not enabled (${code})` }
  return { decision: 'unknown', obstacle: null, text: `${code}: ${text}` }
}

/** One call in several regions: allowed where it is answered in each that is enabled. */
export function together(byRegion: ReadonlyMap<string, Called>): Called {
  const all = [...byRegion]
  const denied = all.filter(([, { decision }]) => decision === 'denied')
  const [first] = denied
  if (first) return { ...first[1], text: `in ${denied.map(([region]) => region).join(', ')}: ${first[1].text}` }
  const unknown = all.filter(([, { decision }]) => decision === 'unknown')
  const [missed] = unknown
  if (missed && unknown.length === all.length) return missed[1]
  const text = unknown.map(([region, one]) => `${region}: ${one.text}`).join('; ')
  return { decision: 'allowed', obstacle: null, text }
}

/** The caller destroys it. */
export async function iamClient(deps: CallDeps, partition: string): Promise<IAMClient> {
  const { IAMClient } = await import('@aws-sdk/client-iam')
  return new IAMClient({
    ...(await clientOptions(deps.config, 'iam')),
    region: iamRegionOf(partition),
    ...(await identityOf(deps)),
  })
}

export async function identityOf({ credentials }: Pick<CallDeps, 'credentials'>) {
  return credentials ? { credentials: () => credentials().then(toIdentity) } : {}
}
