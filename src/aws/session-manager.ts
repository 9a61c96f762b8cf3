import { createHash } from 'node:crypto'
import type { DescribeSessionsCommandInput, Session, SSMClient } from '@aws-sdk/client-ssm'
import { BrokerError } from '../../proxy/session.ts'
import { sortedJson } from '../audit/canonical.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AwsCredentials } from './aws.ts'
import { isGone, toSsmError } from './aws-errors.ts'
import type { SessionStream } from './channel-ticket.ts'
import { clientOptions, toIdentity } from './client-options.ts'
import { counted } from './counted.ts'

export interface SessionManagerDeps {
  readonly config: Pick<Config['aws'], 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

export interface SessionStartAsk {
  /** Id of the instance. */
  readonly target: string
  /** Name of the session document. */
  readonly document: string
  readonly parameters?: Readonly<Record<string, string>>
  /** Shown by AWS, at most 256 characters. */
  readonly reason?: string
}

export interface StartedSession extends SessionStream {
  readonly sessionId: string
}

/** A session that AWS holds to be open. */
export interface ActiveSession {
  readonly sessionId: string
  readonly target: string
  readonly document: string | null
  /** Epoch milliseconds. */
  readonly startedAt: number | null
  readonly reason: string | null
}

export interface SessionDocument {
  /** The default version, as AWS keeps it. */
  readonly content: string
  /** Hex SHA-256 of it as JSON, whatever its white space and the order of its members. */
  readonly digest: string
}

/** What the SSM agent of an instance says of itself. */
export interface AgentInfo {
  readonly isOnline: boolean
  /** e.g. `3.3.987.0` */
  readonly version: string
  /** e.g. `Linux` */
  readonly platform: string
}

/**
 * Session Manager in one region, with the credentials of one session. All throw BrokerError AWS_DENIED, AWS_UNAVAILABLE, and what
 * getting the credentials throws.
 */
export interface SessionManager {
  /** @throws BrokerError TARGET_UNREACHABLE: the instance's agent is not connected */
  start(ask: SessionStartAsk): Promise<StartedSession>
  /** @returns null: the session is over */
  resume(sessionId: string): Promise<SessionStream | null>
  /** Resolves also when it is over already. */
  terminate(sessionId: string): Promise<void>
  /** @param owner ARN of the session of a role that started them */
  active(owner: string): Promise<readonly ActiveSession[]>
  /** Session documents may be changed at any time, and sessions use the default version. */
  document(name: string): Promise<SessionDocument>
  /** @param instance id @returns null: it is unknown to Systems Manager */
  agent(instance: string): Promise<AgentInfo | null>
}

/** @param credentials called for each request, to get the newest */
export type SessionManagerAt = (region: string, credentials: () => Promise<AwsCredentials>) => SessionManager

/** Of one page. */
const mostSessions = 200
const longestReason = 256

/** The SDK is imported with the first call. */
export function createSessionManagers(deps: SessionManagerDeps): SessionManagerAt {
  let options: ReturnType<typeof clientOptions> | undefined
  return (region, credentials) => {
    let client: Promise<SSMClient> | undefined
    const connect = async () => {
      options ??= clientOptions(deps.config, 'ssm') // shared, so that all use the same connections
      const { SSMClient } = await import('@aws-sdk/client-ssm')
      return new SSMClient({ ...(await options), region, credentials: () => credentials().then(toIdentity) })
    }
    const call: Call = async (operation, on, run) => {
      try {
        client ??= connect()
        const ready = await client
        const sdk = await import('@aws-sdk/client-ssm')
        return await counted(deps.metrics, { service: 'ssm', operation }, () => run(ready, sdk))
      } catch (error) {
        throw toSsmError(error, operation, on)
      }
    }
    return sessionManager(call)
  }
}

type Sdk = typeof import('@aws-sdk/client-ssm')
/** @param on what it is done to, for the error */
type Call = <T>(operation: string, on: string, run: (client: SSMClient, sdk: Sdk) => Promise<T>) => Promise<T>

function sessionManager(call: Call): SessionManager {
  return {
    start: ({ target, document, parameters = {}, reason }) => {
      const input = {
        Target: target,
        DocumentName: document,
        Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
        ...(reason ? { Reason: reason.slice(0, longestReason) } : {}),
      }
      return call('StartSession', target, async (client, { StartSessionCommand }) => {
        const { SessionId: sessionId, StreamUrl, TokenValue } = await client.send(new StartSessionCommand(input))
        const stream = toStream(StreamUrl, TokenValue)
        if (!sessionId || !stream)
          throw new BrokerError('AWS_UNAVAILABLE', 'Session Manager answered without a session')
        return { sessionId, ...stream }
      })
    },
    resume: async (sessionId) => {
      const input = { SessionId: sessionId }
      return await unlessGone(
        call('ResumeSession', sessionId, async (client, { ResumeSessionCommand }) => {
          const { StreamUrl, TokenValue } = await client.send(new ResumeSessionCommand(input))
          return toStream(StreamUrl, TokenValue)
        }),
      )
    },
    terminate: async (sessionId) => {
      const input = { SessionId: sessionId }
      const send = (client: SSMClient, sdk: Sdk) => client.send(new sdk.TerminateSessionCommand(input))
      await unlessGone(call('TerminateSession', sessionId, send))
    },
    active: async (owner) => {
      const filter = { key: 'Owner', value: owner } as const
      const input: DescribeSessionsCommandInput = { State: 'Active', Filters: [filter], MaxResults: mostSessions }
      return await call('DescribeSessions', owner, async (client, { paginateDescribeSessions }) => {
        const found: ActiveSession[] = []
        for await (const { Sessions = [] } of paginateDescribeSessions({ client }, input))
          for (const one of Sessions) if (one.Owner === owner) found.push(...toActive(one))
        return found
      })
    },
    document: async (name) => {
      const input = { Name: name, DocumentFormat: 'JSON' } as const
      return await call('GetDocument', name, async (client, { GetDocumentCommand }) => {
        const { Content: content } = await client.send(new GetDocumentCommand(input))
        if (content === undefined) throw new BrokerError('AWS_UNAVAILABLE', `SSM answered without the document ${name}`)
        return { content, digest: digestOf(content) }
      })
    },
    agent: async (instance) => {
      const input = { Filters: [{ Key: 'InstanceIds', Values: [instance] }] }
      return await call('DescribeInstanceInformation', instance, async (client, sdk) => {
        const { InstanceInformationList: [found] = [] } = await client.send(
          new sdk.DescribeInstanceInformationCommand(input),
        )
        if (found?.InstanceId !== instance) return null
        const { PingStatus, AgentVersion: version = '', PlatformType: platform = '' } = found
        return { isOnline: PingStatus === 'Online', version, platform }
      })
    },
  }
}

function toStream(streamUrl: string | undefined, token: string | undefined): SessionStream | null {
  return streamUrl && token ? { streamUrl, token } : null
}

function toActive({ SessionId, Target, DocumentName, StartDate, Reason }: Session): ActiveSession[] {
  if (SessionId === undefined) return []
  const startedAt = StartDate?.getTime() ?? null
  return [
    { sessionId: SessionId, target: Target ?? '', document: DocumentName ?? null, startedAt, reason: Reason ?? null },
  ]
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

function digestOf(content: string): string {
  let text = content
  try {
    text = sortedJson(JSON.parse(content))
  } catch {
    // not JSON, whatever was asked for: then it is another text, and has another digest
  }
  return createHash('sha256').update(text).digest('hex')
}
