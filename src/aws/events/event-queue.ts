/**
 * A standard queue of SQS (API version 2012-11-05) as its one reader sees it. Messages come at least once, in any order; one that is
 * not removed comes again, and after some times goes to the queue of dead letters.
 */
import type { Config } from '../../config/config.ts'
import type { QueuePlace } from '../../config/queue-url.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Aws } from '../aws.ts'
import { isCode, toSqsError } from '../aws-errors.ts'
import { clientOptions, hubIdentity } from '../client-options.ts'
import { Paced, retries } from '../paced.ts'
import { createServiceCaller } from '../service-caller.ts'

export interface ReceivedMessage {
  readonly body: string
  /** Of this receiving; a later one of the same message has another. */
  readonly handle: string
  /** Epoch milliseconds, by AWS. */
  readonly sentAt: number
  /** This one is counted. */
  readonly receives: number
}

export interface QueueDepth {
  /** About so many wait. */
  readonly waiting: number
  /** The same for dead letters; null: the queue has none, or they may not be counted. */
  readonly dead: number | null
  readonly hasDeadLetters: boolean
}

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, each with what to do; the signal's reason once it is aborted */
export interface EventQueue {
  /** At most ten; waits for the first. They stay hidden from other readers for {@link hiddenSeconds}. */
  receive(signal: AbortSignal): Promise<readonly ReceivedMessage[]>
  /** For good. @param handles at most ten @returns those that were not removed */
  remove(handles: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  /** Hides messages for so long from now on, which count again from then. @param handles at most ten */
  hide(handles: readonly string[], seconds: number, signal: AbortSignal): Promise<void>
  depth(signal: AbortSignal): Promise<QueueDepth>
  /** For what the broker itself sends through. */
  send(body: string, signal: AbortSignal): Promise<void>
}

export interface EventQueueDeps {
  readonly aws: Pick<Aws, 'hub'>
  readonly config: Pick<Config['aws'], 'endpoints' | 'regions'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly queue: QueuePlace
}

/** Whatever the queue itself says. */
export const hiddenSeconds = 60
/** The longest that SQS waits for a first message. */
const waitSeconds = 20
const requestMs = (waitSeconds + 10) * 1000
/** SQS has no limit of its own; this is one of ours, so that a fault costs no money. */
const pace = { perSecond: 200, burst: 200, atOnce: 8 } as const

/** The SDK is imported with the first call. */
export function createEventQueue(deps: EventQueueDeps): EventQueue {
  const { url: QueueUrl, name } = deps.queue
  const call = createServiceCaller({
    service: 'sqs',
    metrics: deps.metrics,
    paced: new Paced(pace),
    createClient: () => createClient(deps),
    toError: (error, operation) => toSqsError(error, operation, name),
  })
  const depthOf = async (url: string, signal: AbortSignal) => {
    const { Attributes = {} } = await call('GetQueueAttributes', signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.GetQueueAttributesCommand({
          QueueUrl: url,
          AttributeNames: ['ApproximateNumberOfMessages', 'RedrivePolicy'],
        }),
        options,
      ),
    )
    const { ApproximateNumberOfMessages: waiting = '0', RedrivePolicy: redrive } = Attributes
    return { waiting: Number(waiting), dead: redrive === undefined ? null : deadLetterArn(redrive) }
  }
  return {
    receive: async (signal) => {
      const { Messages = [] } = await call('ReceiveMessage', signal, ({ sdk, client }, options) =>
        client.send(
          new sdk.ReceiveMessageCommand({
            QueueUrl,
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: waitSeconds,
            VisibilityTimeout: hiddenSeconds,
            MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
          }),
          options,
        ),
      )
      return Messages.flatMap(({ Body = '', ReceiptHandle: handle, Attributes = {} }) => {
        if (handle === undefined) return []
        const { SentTimestamp: sentAt = '0', ApproximateReceiveCount: receives = '1' } = Attributes
        return [{ body: Body, handle, sentAt: Number(sentAt), receives: Number(receives) }]
      })
    },
    remove: async (handles, signal) => {
      const { Failed = [] } = await call('DeleteMessageBatch', signal, ({ sdk, client }, options) =>
        client.send(
          new sdk.DeleteMessageBatchCommand({
            QueueUrl,
            Entries: handles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
          }),
          options,
        ),
      )
      return Failed.flatMap(({ Id }) => handles[Number(Id)] ?? [])
    },
    hide: async (handles, seconds, signal) => {
      await call('ChangeMessageVisibilityBatch', signal, ({ sdk, client }, options) =>
        client.send(
          new sdk.ChangeMessageVisibilityBatchCommand({
            QueueUrl,
            Entries: handles.map((ReceiptHandle, index) => ({
              Id: String(index),
              ReceiptHandle,
              VisibilityTimeout: seconds,
            })),
          }),
          options,
        ),
      )
    },
    depth: async (signal) => {
      const { waiting, dead } = await depthOf(QueueUrl, signal)
      if (dead === null) return { waiting, dead: null, hasDeadLetters: false }
      const url = new URL(QueueUrl)
      url.pathname = `/${dead.account}/${dead.name}`
      const count = await depthOf(url.href, signal).catch((error: unknown) => {
        if (isCode(error, 'AccessDenied') || isMissing(error)) return null
        throw error
      })
      return { waiting, dead: count?.waiting ?? null, hasDeadLetters: true }
    },
    send: async (MessageBody, signal) => {
      await call('SendMessage', signal, ({ sdk, client }, options) =>
        client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody }), options),
      )
    },
  }
}

/** Whether AWS says that there is no such queue. @param error as it was translated */
export function isMissing(error: unknown): boolean {
  return isCode(error, 'QueueDoesNotExist') || isCode(error, 'AWS.SimpleQueueService.NonExistentQueue')
}

async function createClient({ aws, config, queue }: EventQueueDeps) {
  const sdk = await import('@aws-sdk/client-sqs')
  const region = queue.region ?? config.regions[0]
  const client = new sdk.SQSClient({
    ...(await clientOptions(config, 'sqs', requestMs)),
    ...retries,
    ...(region === undefined ? {} : { region }),
    credentials: await hubIdentity(aws),
  })
  return { sdk, client }
}

function deadLetterArn(redrive: string): { account: string; name: string } | null {
  const arn: unknown = (JSON.parse(redrive) as { deadLetterTargetArn?: unknown }).deadLetterTargetArn
  const [, , , , account, name] = String(arn).split(':')
  return account === undefined || name === undefined ? null : { account, name }
}
