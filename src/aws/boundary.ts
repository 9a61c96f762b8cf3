import type { IAMClient, PolicyVersion } from '@aws-sdk/client-iam'
import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Clock } from '../telemetry/clock.ts'
import { KeyedMutex } from '../telemetry/keyed-mutex.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Aws } from './aws.ts'
import { toIamError } from './aws-errors.ts'
import { clientOptions, iamRegionOf, toIdentity } from './client-options.ts'
import { counted } from './counted.ts'
import { type Denial, longestPolicy, type PolicyDocument, readBoundary, withDenials } from './revocation-policy.ts'

export interface BoundaryDeps {
  readonly config: Config['aws']
  readonly aws: Pick<Aws, 'spoke'>
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Reading and writing the list is no single step for IAM: one daemon does it at a time. */
  readonly leader: Pick<Leadership, 'check'>
}

export interface Place {
  readonly partition: string
  readonly account: string
}

/** The permissions boundary of the revocable roles of each account. */
export interface Boundary {
  /**
   * Adds entries to the account's deny list and drops expired ones; one change at a time for each account. AWS
   * applies it within seconds, at times minutes.
   * @returns the active version (a new one only when something changed), and when the first entry expires;
   *   null: no entries
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LIMIT_REACHED when the list is full, NOT_LEADER
   */
  deny(place: Place, denials: readonly Denial[]): Promise<Denied>
}

export interface Denied {
  readonly arn: string
  readonly version: string
  readonly isNew: boolean
  /** Those asked for that were not in the list. */
  readonly added: readonly Denial[]
  /** Epoch milliseconds. */
  readonly nextEndsAt: number | null
}

/** IAM keeps this many versions of a policy. */
const mostVersions = 5
export function createBoundary(deps: BoundaryDeps): Boundary {
  const clients = new Map<string, Promise<IAMClient>>()
  const mutex = new KeyedMutex()
  const clientFor = (place: Place): Promise<IAMClient> => {
    let client = clients.get(place.account)
    if (!client) {
      client = createClient(deps, place)
      clients.set(place.account, client)
    }
    return client
  }
  return {
    deny: (place, denials) => {
      const arn = `arn:${place.partition}:iam::${place.account}:policy/${deps.config.revocationPolicy}`
      return mutex.run(place.account, async () => await rewrite(deps, await clientFor(place), arn, denials))
    },
  }
}

async function rewrite(
  deps: BoundaryDeps,
  client: IAMClient,
  arn: string,
  denials: readonly Denial[],
): Promise<Denied> {
  const iam = await import('@aws-sdk/client-iam')
  const call = async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await counted(deps.metrics, { service: 'iam', operation }, run)
    } catch (error) {
      throw toIamError(error, operation, arn)
    }
  }
  const { Policy } = await call('GetPolicy', () => client.send(new iam.GetPolicyCommand({ PolicyArn: arn })))
  const version = Policy?.DefaultVersionId ?? ''
  const current = await call('GetPolicyVersion', () =>
    client.send(new iam.GetPolicyVersionCommand({ PolicyArn: arn, VersionId: version })),
  )
  const document = parseDocument(current.PolicyVersion, arn)
  const added = missingIn(document, denials)
  const next = withDenials(document, denials, deps.clock.now())
  if (!next) return { arn, version, isNew: false, added: [], nextEndsAt: firstEnd(document) }
  const text = JSON.stringify(next)
  if (text.replaceAll(/\s/g, '').length > longestPolicy)
    throw new BrokerError('LIMIT_REACHED', `the deny list of ${arn} is full`, {
      hint: 'Entries are removed when their credentials expire. Until then use shorter sessions, or deny the person in an organization policy.',
    })
  const { Versions = [] } = await call('ListPolicyVersions', () =>
    client.send(new iam.ListPolicyVersionsCommand({ PolicyArn: arn })),
  )
  const oldest = oldestSpare(Versions)
  deps.leader.check()
  if (Versions.length >= mostVersions && oldest)
    await call('DeletePolicyVersion', () =>
      client.send(new iam.DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: oldest })),
    )
  deps.leader.check()
  const created = await call('CreatePolicyVersion', () =>
    client.send(new iam.CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: text, SetAsDefault: true })),
  )
  return { arn, version: created.PolicyVersion?.VersionId ?? '', isNew: true, added, nextEndsAt: firstEnd(next) }
}

function missingIn(document: PolicyDocument, denials: readonly Denial[]): Denial[] {
  const keyOf = ({ by, id }: Denial) => `${by} ${id}`
  const there = new Set(readBoundary(document).denials.map(keyOf))
  return denials.filter((denial) => !there.has(keyOf(denial)))
}

function firstEnd(document: PolicyDocument): number | null {
  const ends = readBoundary(document).denials.map(({ until }) => until)
  return ends.length === 0 ? null : Math.min(...ends)
}

function oldestSpare(versions: readonly PolicyVersion[]): string | undefined {
  const age = ({ CreateDate }: PolicyVersion) => CreateDate?.getTime() ?? 0
  const number = ({ VersionId = 'v0' }: PolicyVersion) => Number(VersionId.slice(1))
  const spare = versions.filter((one) => !one.IsDefaultVersion)
  return spare.sort((a, b) => age(a) - age(b) || number(a) - number(b))[0]?.VersionId
}

/** IAM sends percent-encoded JSON; some emulators send plain JSON. */
function parseDocument(version: PolicyVersion | undefined, arn: string): PolicyDocument {
  try {
    const text = version?.Document ?? ''
    return JSON.parse(text.startsWith('%7B') ? decodeURIComponent(text) : text) as PolicyDocument
  } catch (cause) {
    throw new BrokerError('AWS_DENIED', `the policy ${arn} cannot be read`, { cause })
  }
}

async function createClient({ config, aws }: BoundaryDeps, place: Place): Promise<IAMClient> {
  const { IAMClient } = await import('@aws-sdk/client-iam')
  return new IAMClient({
    ...(await clientOptions(config, 'iam')),
    region: iamRegionOf(place.partition),
    credentials: () => aws.spoke(place).then(toIdentity),
  })
}
