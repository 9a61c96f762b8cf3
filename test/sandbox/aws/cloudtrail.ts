/**
 * `LookupEvents` of CloudTrail (JSON 1.1, API version 2013-11-01): who took which role, newest first, in pages. Left out: every other event, other
 * attributes than the name of a resource, and that events come some minutes late.
 */
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller, Callers } from './callers.ts'
import { createPager } from './pager.ts'
import { accountOf, type World } from './world.ts'

export interface CloudTrailDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

interface Deps {
  readonly world: World
  readonly callers: Pick<Callers, 'issued'>
  isDenied(action: string): boolean
  now(): number
}

const members = ['LookupAttributes', 'StartTime', 'EndTime', 'MaxResults', 'NextToken']

export function createCloudTrail(deps: Deps): CloudTrailDouble {
  const pager = createPager(() => new AwsFault('InvalidNextTokenException', 400, 'Invalid token.'))
  return {
    answer: (caller, region, operation, input) => {
      if (operation !== 'LookupEvents') throw new AwsFault('UnknownOperationException', 400, operation)
      authorize(deps, caller)
      const { resource, since, until, size, token } = readInput(input)
      const events = deps.callers.issued
        .filter(({ session }) => session !== null && session.roleArn === resource)
        .filter(({ session }) => accountOf(session?.roleArn ?? '') === caller.account && region === homeOf(deps.world))
        .filter(({ session }) => (session?.issuedAt ?? 0) >= since && (session?.issuedAt ?? 0) <= until)
        .map((one, index) => toEvent(one, region, index))
      const { lists } = deps.world
      const { items, NextToken } = pager(
        {
          list: [caller.account, region, resource].join(),
          token,
          size: Math.min(size, lists.pageSize),
          hasEmptyPages: lists.hasEmptyPages,
        },
        events,
        ({ EventId }) => EventId,
      )
      return { Events: items, ...(NextToken === undefined ? {} : { NextToken }) }
    },
  }
}

/** Where the double's only endpoint of STS is taken to be. */
function homeOf({ regions: [first = ''] }: World): string {
  return first
}

function authorize({ world, isDenied, now }: Deps, caller: Caller): void {
  const action = 'cloudtrail:LookupEvents'
  const access = { action, resource: '*', context: callerContext(world, caller, now(), '*') }
  const why = isDenied(action) ? 'denied by a fault knob' : refusal(world, caller, access)
  if (why) throw new AwsFault('AccessDeniedException', 400, `User: ${caller.arn} may not perform: ${action}`, why)
}

function readInput(input: Readonly<Record<string, unknown>>) {
  const other = Object.keys(input).find((name) => !members.includes(name))
  if (other !== undefined) throw new AwsFault('SerializationException', 400, `unexpected member ${other}`)
  const [attribute, ...more] = input.LookupAttributes as { AttributeKey?: unknown; AttributeValue?: unknown }[]
  if (attribute?.AttributeKey !== 'ResourceName' || typeof attribute.AttributeValue !== 'string' || more.length > 0)
    throw new AwsFault('InvalidLookupAttributesException', 400, 'one attribute, the name of a resource, is here')
  const size = input.MaxResults ?? 50
  if (typeof size !== 'number' || size < 1 || size > 50)
    throw new AwsFault('InvalidMaxResultsException', 400, 'MaxResults is not from 1 to 50')
  const [since, until] = [Number(input.StartTime ?? 0) * 1000, Number(input.EndTime ?? Number.MAX_SAFE_INTEGER) * 1000]
  if (since > until) throw new AwsFault('InvalidTimeRangeException', 400, 'it ends before it begins')
  const token = input.NextToken === undefined ? undefined : String(input.NextToken)
  return { resource: attribute.AttributeValue, since, until, size, token }
}

function toEvent({ accessKeyId, arn, session }: Caller, region: string, index: number) {
  const {
    roleArn = '',
    name = '',
    issuedAt = 0,
    sourceIdentity = null,
    assumedBy,
    assumedWith,
    tags = {},
  } = session ?? {}
  const told = {
    eventVersion: '1.08',
    userIdentity:
      assumedBy === undefined
        ? { type: 'WebIdentityUser' }
        : { type: 'AssumedRole', arn: assumedBy, ...(assumedWith === undefined ? {} : { accessKeyId: assumedWith }) },
    eventTime: new Date(issuedAt).toISOString(),
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRole',
    awsRegion: region,
    requestParameters: {
      ...{ roleArn, roleSessionName: name },
      ...(sourceIdentity === null ? {} : { sourceIdentity }),
      tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    },
    responseElements: { credentials: { accessKeyId }, assumedRoleUser: { arn } },
  }
  return {
    EventId: String(1_000_000 - index), // the newest one first
    EventName: 'AssumeRole',
    EventSource: 'sts.amazonaws.com',
    EventTime: issuedAt / 1000,
    Resources: [{ ResourceType: 'AWS::IAM::Role', ResourceName: roleArn }],
    CloudTrailEvent: JSON.stringify(told),
  }
}
