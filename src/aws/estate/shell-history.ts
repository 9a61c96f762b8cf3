/**
 * Sessions of Session Manager on one instance (Systems Manager API Reference, DescribeSessions, version 2014-11-06): those that run, and those of the last 30
 * days. What was typed is not in it.
 */
import type { Session } from '@aws-sdk/client-ssm'
import { BrokerError } from '../../../proxy/session.ts'
import type { ServiceCall } from '../service-caller.ts'
import { type AwsPlace, createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

export interface ShellSeen {
  readonly awsSessionId: string
  /** Epoch milliseconds. */
  readonly at: number
  /** Null: it runs, or AWS does not say. */
  readonly endedAt: number | null
  /** ARN of who started it. */
  readonly owner: string | null
  /** As who started it wrote it. */
  readonly reason: string | null
}

export interface ShellHistory {
  /** Newest first. */
  readonly sessions: readonly ShellSeen[]
  /** False: there is more than was read. */
  readonly isWhole: boolean
}

/**
 * @param range epoch milliseconds
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason
 */
export type ReadShellHistory = (
  place: AwsPlace,
  instanceId: string,
  range: { readonly since: number; readonly until: number },
  signal: AbortSignal,
) => Promise<ShellHistory>

type Ssm = Awaited<ReturnType<typeof load>>

const pageSize = 200
const mostPages = 10

/** The SDK is imported with the first call. */
export function createShellHistoryReader(deps: EstateDeps): ReadShellHistory {
  const at = createPlaceCaller(deps, {
    service: 'ssm',
    title: 'Session Manager',
    feature: 'discovery',
    pace: { perSecond: 2, burst: 4, atOnce: 1 },
    createClient: load,
  })
  return async (place, instanceId, range, signal) => {
    const found: Session[] = []
    let isWhole = true
    for (const state of ['Active', 'History'] as const) {
      const answer = await list(at(place), state, instanceId, range, signal)
      found.push(...answer.sessions)
      isWhole &&= answer.isWhole
    }
    // One may end between the two lists.
    const byId = new Map(found.filter(({ Target }) => Target === instanceId).map((one) => [one.SessionId, one]))
    return { isWhole, sessions: [...byId.values()].flatMap(toSeen).sort((a, b) => b.at - a.at) }
  }
}

async function list(
  call: ServiceCall<Ssm>,
  State: 'Active' | 'History',
  instanceId: string,
  { since, until }: { readonly since: number; readonly until: number },
  signal: AbortSignal,
): Promise<{ sessions: Session[]; isWhole: boolean }> {
  const Filters = [
    { key: 'Target' as const, value: instanceId },
    { key: 'InvokedAfter' as const, value: toInstant(since) },
    { key: 'InvokedBefore' as const, value: toInstant(until + 1000) },
  ]
  const sessions: Session[] = []
  const tokens = new Set<string>()
  for (let token: string | undefined; tokens.size < mostPages; ) {
    const input = { State, Filters, MaxResults: pageSize, ...(token === undefined ? {} : { NextToken: token }) }
    const page = await call('DescribeSessions', signal, ({ sdk, client }, options) =>
      client.send(new sdk.DescribeSessionsCommand(input), options),
    )
    sessions.push(...(page.Sessions ?? []))
    if (!page.NextToken) return { sessions, isWhole: true }
    if (tokens.has(page.NextToken))
      throw new BrokerError('AWS_UNAVAILABLE', 'DescribeSessions: the pages of the list do not end')
    tokens.add(page.NextToken)
    token = page.NextToken
  }
  return { sessions, isWhole: false }
}

/** The filters take whole seconds. */
function toInstant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

function toSeen({ SessionId, StartDate, EndDate, Owner, Reason }: Session): ShellSeen[] {
  if (SessionId === undefined || StartDate === undefined) return []
  const owner = Owner?.slice(0, 2048) ?? null
  const reason = Reason?.slice(0, 256) ?? null
  return [{ awsSessionId: SessionId, at: StartDate.getTime(), endedAt: EndDate?.getTime() ?? null, owner, reason }]
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-ssm')
  return { sdk, client: new sdk.SSMClient(options) }
}
