/**
 * Who took a role, as CloudTrail's event history has it: management events of 90 days, some fifteen minutes late, two questions a second for each account
 * and region (LookupEvents, API version 2013-11-01). Data events and what was done with the keys are not in it.
 */
import type { Event } from '@aws-sdk/client-cloudtrail'
import { BrokerError } from '../../../proxy/session.ts'
import type { ServiceCall } from '../service-caller.ts'
import { type AwsPlace, createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

/** One time that a person or a program was given keys of a role. */
export interface RoleTaken {
  /** Epoch milliseconds. */
  readonly at: number
  readonly region: string
  /** `ASIA…`; null: CloudTrail does not say. */
  readonly accessKeyId: string | null
  /** ARN, or a service; null: CloudTrail does not say. */
  readonly by: string | null
  readonly sessionName: string | null
  /** That was set, or that who called had already. */
  readonly sourceIdentity: string | null
  /** Of who called, where those were keys of a session. */
  readonly callerKeyId: string | null
  /** Value of the session tag `sallyport:grant` that was asked for. Anyone who may set tags can say anything. */
  readonly grantTag: string | null
}

export interface TrailAnswer {
  /** Newest first. */
  readonly taken: readonly RoleTaken[]
  /** False: there is more than was read. */
  readonly isWhole: boolean
}

/**
 * @param range epoch milliseconds
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason
 */
export type ReadTrail = (
  place: AwsPlace,
  roleArn: string,
  range: { readonly since: number; readonly until: number },
  signal: AbortSignal,
) => Promise<TrailAnswer>

type CloudTrail = Awaited<ReturnType<typeof load>>

const pageSize = 50
/** At two a second, some five seconds. */
const mostPages = 10
/** An event has 256 KB at most. */
const mostCharacters = 262_144
const takes = ['AssumeRole', 'AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML']

/** The SDK is imported with the first call. */
export function createTrailReader(deps: EstateDeps): ReadTrail {
  const at = createPlaceCaller(deps, {
    service: 'cloudtrail',
    title: 'CloudTrail',
    feature: 'discovery',
    pace: { perSecond: 2, burst: 2, atOnce: 1 },
    createClient: load,
  })
  return async (place, roleArn, { since, until }, signal) => {
    const input = {
      LookupAttributes: [{ AttributeKey: 'ResourceName' as const, AttributeValue: roleArn }],
      StartTime: new Date(since),
      EndTime: new Date(until),
      MaxResults: pageSize,
    }
    const { events, isWhole } = await lookUp(at(place), input, signal)
    const taken = events.flatMap((event) => toTaken(event, place.region, roleArn))
    return { taken: taken.sort((a, b) => b.at - a.at), isWhole }
  }
}

async function lookUp(call: ServiceCall<CloudTrail>, input: object, signal: AbortSignal) {
  const events: Event[] = []
  const tokens = new Set<string>()
  for (let token: string | undefined; tokens.size < mostPages; ) {
    const page = await call('LookupEvents', signal, ({ sdk, client }, options) =>
      client.send(new sdk.LookupEventsCommand({ ...input, ...(token ? { NextToken: token } : {}) }), options),
    )
    events.push(...(page.Events ?? []))
    if (!page.NextToken) return { events, isWhole: true }
    if (tokens.has(page.NextToken))
      throw new BrokerError('AWS_UNAVAILABLE', 'LookupEvents: the pages of the list do not end')
    tokens.add(page.NextToken)
    token = page.NextToken
  }
  return { events, isWhole: false }
}

interface Told {
  readonly errorCode?: unknown
  readonly userIdentity?: {
    readonly arn?: unknown
    readonly invokedBy?: unknown
    readonly userName?: unknown
    readonly accessKeyId?: unknown
    readonly sessionContext?: { readonly sourceIdentity?: unknown }
  }
  readonly requestParameters?: {
    readonly roleArn?: unknown
    readonly roleSessionName?: unknown
    readonly sourceIdentity?: unknown
    readonly tags?: unknown
  }
  readonly responseElements?: { readonly credentials?: { readonly accessKeyId?: unknown } }
}

/** Nothing for what was refused, or is of another role. */
function toTaken({ EventName, EventTime, CloudTrailEvent }: Event, region: string, roleArn: string): RoleTaken[] {
  if (!takes.includes(EventName ?? '') || EventTime === undefined) return []
  const told = parsed(CloudTrailEvent)
  const { errorCode, userIdentity = {}, requestParameters, responseElements } = told
  if (errorCode !== undefined || requestParameters?.roleArn !== roleArn) return []
  return [
    {
      at: EventTime.getTime(),
      region,
      accessKeyId: textOf(responseElements?.credentials?.accessKeyId),
      by: textOf(userIdentity.arn) ?? textOf(userIdentity.invokedBy) ?? textOf(userIdentity.userName),
      sessionName: textOf(requestParameters.roleSessionName),
      sourceIdentity: textOf(requestParameters.sourceIdentity) ?? textOf(userIdentity.sessionContext?.sourceIdentity),
      callerKeyId: textOf(userIdentity.accessKeyId),
      grantTag: grantTagOf(requestParameters.tags),
    },
  ]
}

function grantTagOf(tags: unknown): string | null {
  const all: readonly unknown[] = Array.isArray(tags) ? tags : []
  const found = all.find((tag) => (tag as { key?: unknown } | null)?.key === 'sallyport:grant')
  return textOf((found as { value?: unknown } | undefined)?.value)
}

function parsed(text = ''): Told {
  if (text.length > mostCharacters) return {}
  try {
    const told: unknown = JSON.parse(text)
    return typeof told === 'object' && told !== null ? told : {}
  } catch {
    return {} // then it names no role
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, 2048) : null
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-cloudtrail')
  return { sdk, client: new sdk.CloudTrailClient(options) }
}
