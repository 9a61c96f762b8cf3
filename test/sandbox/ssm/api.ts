/**
 * Session Manager's part of the SSM API (JSON 1.1, API version 2014-11-06), in front of the message gateway: whose policies allow
 * what, which parameters a document takes, and what became of each session. Left out: the ends by idle time and longest duration.
 */
import { authenticate } from '../aws/authenticate.ts'
import { callerContext, refusal } from '../aws/authorize.ts'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller, Callers } from '../aws/callers.ts'
import type { KmsDouble } from '../aws/kms.ts'
import { createPager } from '../aws/pager.ts'
import { readHeaderSignature, type SignedRequest } from '../aws/sigv4.ts'
import { type Instance, instanceState, type World } from '../aws/world.ts'
import type { Leaf } from '../certificates.ts'
import { findDocument, specOf } from './documents.ts'
import { type Gateway, type SessionGateway, startGateway } from './gateway.ts'
import { fieldsOf, filtersOf, list, numberOf, textOf } from './input.ts'

export interface SsmDeps {
  readonly world: World
  readonly callers: Callers
  readonly kms: Pick<KmsDouble, 'key'>
  isDenied(action: string): boolean
  now(): number
  /** Of the message gateway; left out: it speaks no TLS. */
  readonly certificate?: Leaf
}

/** One session as the API knows it. */
export interface SessionRecord {
  readonly sessionId: string
  readonly target: string
  readonly document: string
  readonly account: string
  readonly region: string
  /** ARN of who started it. */
  readonly owner: string
  readonly ownerId: string
  readonly reason: string | null
  readonly parameters: Readonly<Record<string, string>>
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** By TerminateSession. */
  isTerminated: boolean
}

export interface SsmDouble {
  readonly gateway: Gateway
  /** Oldest first. */
  readonly sessions: readonly SessionRecord[]
  /** Whether it still goes on. */
  isActive(sessionId: string): boolean
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: unknown): object
  close(): Promise<void>
}

type Json = Readonly<Record<string, unknown>>
interface Ask {
  readonly caller: Caller
  readonly region: string
  /** @throws AwsFault AccessDeniedException */
  allow(action: string, resource: string, context?: Readonly<Record<string, string>>): void
}

const pageSize = 2

export async function startSsm(deps: SsmDeps): Promise<SsmDouble> {
  const { world, certificate } = deps
  const sessions: SessionRecord[] = []
  const pager = createPager(() => new AwsFault('InvalidNextToken', 400, 'The specified token is not valid.'))
  const gateway = await startGateway({
    authorize: (request, id) => authorizeOpening(deps, find(id), request),
    ...(certificate ? { certificate } : {}),
  })
  const find = (sessionId: string, account?: string, region?: string): SessionRecord => {
    const found = sessions.find((one) => one.sessionId === sessionId)
    if (!found || (account && (found.account !== account || found.region !== region)))
      throw new AwsFault('DoesNotExistException', 400, `Session ${sessionId} does not exist`)
    return found
  }
  const gateways = new Map<string, SessionGateway>()
  const inGateway = (sessionId: string) => (gateways.get(sessionId) ?? gateway).session(sessionId)
  const isActive = (sessionId: string) => inGateway(sessionId).overAt === null
  const ownSession = ({ caller, region, allow }: Ask, action: string, input: Json): SessionRecord => {
    const sessionId = textOf(input, 'SessionId', 1, 96)
    const known = sessions.find((one) => one.sessionId === sessionId)
    allow(action, `arn:aws:ssm:${region}:${caller.account}:session/${sessionId}`, {
      'ssm:resourcetag/aws:ssmmessages:session-id': known?.ownerId ?? '',
      'ssm:resourcetag/aws:ssmmessages:target-id': known?.target ?? '',
    })
    return find(sessionId, caller.account, region)
  }
  const operations: Readonly<Record<string, (ask: Ask, input: Json) => object>> = {
    StartSession: (ask, input) => {
      fieldsOf(input, ['Target', 'DocumentName', 'Parameters', 'Reason'])
      const { caller, region, allow } = ask
      const { account } = caller
      const target = textOf(input, 'Target', 1, 400)
      const name =
        input.DocumentName === undefined ? 'SSM-SessionManagerRunShell' : textOf(input, 'DocumentName', 1, 128)
      const reason = input.Reason === undefined ? null : textOf(input, 'Reason', 1, 256)
      const instance = world.instances.find((one) => one.id === target && one.account === account)
      const document = findDocument(world, name, account, region)
      const tags = Object.entries(instance?.tags ?? {}).map(([key, value]) => [`tag/${key.toLowerCase()}`, value])
      const context = {
        'ssm:sessiondocumentaccesscheck': 'true',
        ...Object.fromEntries(tags.map(([key, value]) => [`ssm:resource${key}`, value])),
        ...Object.fromEntries(tags.map(([key, value]) => [`aws:resource${key}`, value])),
      }
      allow('ssm:StartSession', `arn:aws:ec2:${region}:${account}:instance/${target}`, context)
      allow('ssm:StartSession', `arn:aws:ssm:${region}:${document?.account ?? account}:document/${name}`, context)
      if (!document) throw new AwsFault('InvalidDocument', 400, `Document with name ${name} does not exist.`)
      const { spec, parameters } = specOf(document, target, input.Parameters, deps.kms)
      if (instance?.region !== region || !instance.isOnline || instanceState(instance) !== 'running')
        throw new AwsFault('TargetNotConnected', 400, `${target} is not connected.`)
      const { agentVersion, reaches, pauseMs = 1, root = '', shell } = instance
      const agent = { agentVersion, reaches, pauseMs, root, ...(shell ? { shell } : {}) }
      const at = instance.gateway ?? gateway
      const started = at.start(spec, agent, nameOf(caller))
      gateways.set(started.SessionId, at)
      sessions.push({
        ...{ sessionId: started.SessionId, target, document: name, account, region, reason, parameters },
        ...{ owner: caller.arn, ownerId: caller.userId, startedAt: deps.now(), isTerminated: false },
      })
      return started
    },
    ResumeSession: (ask, input) => {
      fieldsOf(input, ['SessionId'])
      const { sessionId } = ownSession(ask, 'ssm:ResumeSession', input)
      return (gateways.get(sessionId) ?? gateway).resume(sessionId)
    },
    TerminateSession: (ask, input) => {
      fieldsOf(input, ['SessionId'])
      const session = ownSession(ask, 'ssm:TerminateSession', input)
      session.isTerminated = true
      inGateway(session.sessionId).terminate()
      return { SessionId: session.sessionId }
    },
    DescribeSessions: ({ caller, region, allow }, input) => {
      fieldsOf(input, ['State', 'Filters', 'MaxResults', 'NextToken'])
      allow('ssm:DescribeSessions', `arn:aws:ssm:${region}:${caller.account}:*`)
      const state = textOf(input, 'State', 1, 20)
      if (state !== 'Active' && state !== 'History') throw new AwsFault('ValidationException', 400, 'State is neither')
      const filters = filtersOf(input.Filters, [
        'InvokedAfter',
        'InvokedBefore',
        'Target',
        'Owner',
        'Status',
        'SessionId',
      ])
      const most = numberOf(input, 'MaxResults', 1, 200) ?? 200
      const found = sessions
        .filter((one) => one.account === caller.account && one.region === region)
        .filter(({ sessionId }) => isActive(sessionId) === (state === 'Active'))
        .map(describe)
        .filter((one) => filters.every(({ key, value }) => matches(one, key, value)))
      const from = input.NextToken === undefined ? 0 : Number(textOf(input, 'NextToken', 1, 1000))
      const to = from + Math.min(most, pageSize)
      return { Sessions: found.slice(from, to), ...(to < found.length ? { NextToken: String(to) } : {}) }
    },
    GetConnectionStatus: ({ caller, region, allow }, input) => {
      fieldsOf(input, ['Target'])
      const target = textOf(input, 'Target', 1, 400)
      allow('ssm:GetConnectionStatus', `arn:aws:ec2:${region}:${caller.account}:instance/${target}`)
      const isConnected = instancesOf(caller, region).some(({ id, isOnline }) => id === target && isOnline)
      return { Target: target, Status: isConnected ? 'connected' : 'notconnected' }
    },
    DescribeInstanceInformation: ({ caller, region, allow }, input) => {
      fieldsOf(input, ['Filters', 'MaxResults', 'NextToken'])
      allow('ssm:DescribeInstanceInformation', `arn:aws:ssm:${region}:${caller.account}:*`)
      const wanted = list(input.Filters).map((one) => one as { Key?: unknown; Values?: unknown })
      for (const { Key } of wanted)
        if (Key !== 'InstanceIds' && Key !== 'ResourceType')
          throw new AwsFault('InvalidFilterKey', 400, `the filter ${Key} is not here`)
      const size = numberOf(input, 'MaxResults', 5, 50) ?? 10
      const found = instancesOf(caller, region).filter(({ id }) =>
        wanted.every(({ Key, Values }) => list(Values).includes(Key === 'InstanceIds' ? id : 'EC2Instance')),
      )
      const { items, ...token } = pager(
        {
          list: [caller.account, region, JSON.stringify(wanted)].join(),
          token: input.NextToken === undefined ? undefined : textOf(input, 'NextToken', 1, 1000),
          size: Math.min(size, world.lists.pageSize),
          hasEmptyPages: world.lists.hasEmptyPages,
        },
        found,
        ({ id }) => id,
      )
      return { InstanceInformationList: items.map(describeInstance), ...token }
    },
    GetDocument: ({ caller, region, allow }, input) => {
      fieldsOf(input, ['Name', 'DocumentVersion', 'DocumentFormat', 'VersionName'])
      const name = textOf(input, 'Name', 1, 128)
      const document = findDocument(world, name, caller.account, region)
      allow('ssm:GetDocument', `arn:aws:ssm:${region}:${document?.account ?? caller.account}:document/${name}`)
      if (!document) throw new AwsFault('InvalidDocument', 400, `Document with name ${name} does not exist.`)
      const asked = input.DocumentVersion ?? '$DEFAULT'
      const version = asked === '$DEFAULT' || asked === '$LATEST' ? document.versions.length : Number(asked)
      const content = document.versions[version - 1]
      if (!content) throw new AwsFault('InvalidDocumentVersion', 400, 'The document version is not valid')
      const facts = { Name: name, DocumentVersion: String(version), Status: 'Active', DocumentType: 'Session' }
      return { ...facts, DocumentFormat: 'JSON', Content: JSON.stringify(content, null, 2) }
    },
  }
  // What was stopped is not listed any more.
  const instancesOf = (caller: Caller, region: string) =>
    world.instances.filter(
      (one) =>
        one.account === caller.account &&
        one.region === region &&
        one.hasNoAgent !== true &&
        instanceState(one) === 'running',
    )
  const describe = (one: SessionRecord) => {
    const { overAt, isAttached } = inGateway(one.sessionId)
    const over = one.isTerminated ? 'Terminated' : 'Terminating'
    return {
      SessionId: one.sessionId,
      Target: one.target,
      Status: overAt === null ? (isAttached ? 'Connected' : 'Disconnected') : over,
      StartDate: one.startedAt / 1000,
      ...(overAt === null ? {} : { EndDate: overAt / 1000 }),
      DocumentName: one.document,
      Owner: one.owner,
      ...(one.reason === null ? {} : { Reason: one.reason }),
      AccessType: 'Standard',
    }
  }
  return {
    gateway,
    sessions,
    isActive,
    answer: (caller, region, operation, input) => {
      const run = operations[operation]
      if (!run) throw new AwsFault('UnknownOperationException', 400, `there is no operation ${operation}`)
      return run({ caller, region, allow: judge(deps, caller) }, input as Json)
    },
    close: () => gateway.close(),
  }
}

function judge(deps: Pick<SsmDeps, 'world' | 'isDenied' | 'now'>, caller: Caller): Ask['allow'] {
  return (action, resource, more = {}) => {
    const context = callerContext(deps.world, caller, deps.now(), resource)
    for (const [key, value] of Object.entries(more)) context.set(key, [value])
    const access = { action, resource, context }
    const why = deps.isDenied(action) ? 'denied by a fault knob' : refusal(deps.world, caller, access)
    if (why)
      throw new AwsFault(
        'AccessDeniedException',
        400,
        `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
        why,
      )
  }
}

/** The upgrade to a websocket. The service authorization reference lists no resource for it, so a policy must say `*`. */
function authorizeOpening(deps: SsmDeps, session: SessionRecord, request: SignedRequest): void {
  const expected = { service: 'ssmmessages', regions: [session.region] }
  const caller = authenticate(request, readHeaderSignature(request), expected, deps.callers, deps.now())
  if (caller.account !== session.account) throw new AwsFault('AccessDeniedException', 403, 'of another account')
  judge(deps, caller)('ssmmessages:OpenDataChannel', '*')
}

/** With it session ids begin. */
function nameOf({ session, arn }: Caller): string {
  return session?.name ?? arn.slice(arn.lastIndexOf('/') + 1)
}

function matches(one: Readonly<Record<string, unknown>>, key: string, value: string): boolean {
  if (key === 'InvokedAfter') return Number(one.StartDate) * 1000 >= Date.parse(value)
  if (key === 'InvokedBefore') return Number(one.StartDate) * 1000 < Date.parse(value)
  return one[key] === value
}

function describeInstance({ id, agentVersion, isOnline, platform = 'Linux' }: Instance) {
  return {
    InstanceId: id,
    PingStatus: isOnline ? 'Online' : 'ConnectionLost',
    AgentVersion: agentVersion,
    PlatformType: platform,
    PlatformName: platform === 'Linux' ? 'Amazon Linux' : 'Microsoft Windows Server 2022 Datacenter',
    ResourceType: 'EC2Instance',
  }
}
