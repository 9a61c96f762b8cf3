/**
 * Standard queues of SQS (JSON 1.0, API version 2012-11-05): visibility, long polls, batches, dead letters. A referee of who reads a queue: what is not
 * deleted in time comes again, under another handle. Left out: FIFO, delays, attributes of messages, policies of queues (tests fill queues themselves).
 */
import { createHash, randomUUID } from 'node:crypto'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { Queue, QueuedMessage } from './queue.ts'
import type { World } from './world.ts'

export interface SqsDouble {
  /** @param gone aborted when nobody waits for the answer any more @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Input, gone: AbortSignal): Promise<object>
  /** Puts a message in, as a rule of EventBridge does; long polls hear of it. */
  put(queueUrl: string, body: string): void
  /** Receivers that wait for a message. */
  readonly polls: number
}

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

type Input = Readonly<Record<string, unknown>>
interface Ask {
  readonly deps: Deps
  readonly queue: Queue
  readonly input: Input
}

/** Permission of each operation: batches have that of the single one. */
const actions = {
  ReceiveMessage: 'ReceiveMessage',
  DeleteMessage: 'DeleteMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
  GetQueueAttributes: 'GetQueueAttributes',
  SendMessage: 'SendMessage',
} as const
type Operation = keyof typeof actions

const longestPollMs = 20_000

export function urlOf({ region, account, name }: Pick<Queue, 'region' | 'account' | 'name'>): string {
  return `https://sqs.${region}.amazonaws.com/${account}/${name}`
}

export function arnOf({ region, account, name }: Pick<Queue, 'region' | 'account' | 'name'>): string {
  return `arn:aws:sqs:${region}:${account}:${name}`
}

export function createSqs(deps: Deps): SqsDouble {
  const waiting = new Set<() => void>()
  const put = (queue: Queue, body: string): QueuedMessage => {
    const at = deps.now()
    const message = { id: randomUUID(), body, sentAt: at, visibleAt: at, receives: 0, handles: [] }
    queue.messages.push(message)
    for (const wake of waiting) wake()
    return message
  }
  return {
    get polls() {
      return waiting.size
    },
    put: (url, body) => {
      const queue = deps.world.queues?.find((one) => urlOf(one) === url)
      if (queue) put(queue, body) // a rule whose target is gone drops events
    },
    answer: async (caller, region, operation, input, gone) => {
      if (!(operation in actions)) throw new AwsFault('UnsupportedOperation', 400, operation)
      const name = operation as Operation
      const queue = findQueue(deps.world, region, input)
      allow(deps, caller, `sqs:${actions[name]}`, queue)
      const ask: Ask = { deps, queue, input }
      switch (name) {
        case 'ReceiveMessage':
          return await receive(ask, waiting, gone)
        case 'DeleteMessage':
          known(input, ['QueueUrl', 'ReceiptHandle'])
          if (!remove(queue, input.ReceiptHandle)) throw badHandle()
          return {}
        case 'DeleteMessageBatch':
          return batch(ask, ['Id', 'ReceiptHandle'], ({ ReceiptHandle }) => remove(queue, ReceiptHandle))
        case 'ChangeMessageVisibilityBatch':
          return batch(ask, ['Id', 'ReceiptHandle', 'VisibilityTimeout'], (entry) => hide(ask, entry))
        case 'GetQueueAttributes':
          return attributes(ask)
        case 'SendMessage': {
          known(input, ['QueueUrl', 'MessageBody'])
          const body = String(input.MessageBody ?? '')
          if (body === '' || Buffer.byteLength(body) > 1_048_576)
            throw new AwsFault('InvalidParameterValue', 400, 'MessageBody')
          return { MessageId: put(queue, body).id, MD5OfMessageBody: md5(body) }
        }
      }
    },
  }
}

function findQueue({ queues = [] }: World, region: string, { QueueUrl }: Input): Queue {
  const queue = queues.find((one) => urlOf(one) === QueueUrl)
  if (queue?.region === region) return queue
  throw new AwsFault('QueueDoesNotExist', 400, 'The specified queue does not exist.')
}

function allow(deps: Deps, caller: Caller, action: string, queue: Queue): void {
  const resource = arnOf(queue)
  const context = callerContext(deps.world, caller, deps.now(), resource)
  const why = deps.isDenied(action)
    ? 'denied by a fault knob'
    : caller.account === queue.account
      ? refusal(deps.world, caller, { action, resource, context })
      : 'the queue is of another account'
  if (why)
    throw new AwsFault(
      'AccessDeniedException',
      400,
      `User: ${caller.arn} is not authorized to perform: ${action.toLowerCase()} on resource: ${resource}`,
      why,
    )
}

async function receive({ deps, queue, input }: Ask, waiting: Set<() => void>, gone: AbortSignal): Promise<object> {
  known(input, [
    'QueueUrl',
    'MaxNumberOfMessages',
    'WaitTimeSeconds',
    'VisibilityTimeout',
    'MessageSystemAttributeNames',
  ])
  const most = number(input, 'MaxNumberOfMessages', 1, 10, 1)
  const waitMs = number(input, 'WaitTimeSeconds', 0, 20, 0) * 1000
  const hiddenMs = number(input, 'VisibilityTimeout', 0, 43_200, queue.visibilitySeconds) * 1000
  const names = (input.MessageSystemAttributeNames ?? []) as string[]
  const until = performance.now() + Math.min(waitMs, longestPollMs)
  for (;;) {
    redrive(deps, queue)
    const now = deps.now()
    const found = gone.aborted ? [] : queue.messages.filter(({ visibleAt }) => visibleAt <= now).slice(0, most)
    const leftMs = until - performance.now()
    if (found.length > 0 || leftMs <= 0 || gone.aborted) {
      if (found.length === 0) return {}
      return { Messages: found.map((message) => received(message, now + hiddenMs, names)) }
    }
    await wake(waiting, Math.min(leftMs, 100), gone) // what was hidden may come again meanwhile
  }
}

async function wake(waiting: Set<() => void>, ms: number, gone: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  waiting.add(resolve)
  gone.addEventListener('abort', () => resolve(), { once: true })
  await promise
  clearTimeout(timer)
  waiting.delete(resolve)
}

function received(message: QueuedMessage, visibleAt: number, names: readonly string[]): object {
  const handle = randomUUID()
  message.handles.push(handle)
  message.receives += 1
  message.visibleAt = visibleAt
  const attributes: Record<string, string> = {
    ApproximateReceiveCount: String(message.receives),
    SentTimestamp: String(message.sentAt),
  }
  return {
    MessageId: message.id,
    ReceiptHandle: handle,
    MD5OfBody: md5(message.body),
    Body: message.body,
    Attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => names.includes(name))),
  }
}

/** What was received too often goes to the dead letters when it would be received once more. */
function redrive({ world, now }: Deps, queue: Queue): void {
  const { deadLetters } = queue
  if (deadLetters === null) return
  const dead = world.queues?.find((one) => arnOf(one) === deadLetters.arn)
  const over = queue.messages.filter(
    ({ visibleAt, receives }) => visibleAt <= now() && receives >= deadLetters.mostReceives,
  )
  for (const message of over) {
    queue.messages.splice(queue.messages.indexOf(message), 1)
    dead?.messages.push({ ...message, receives: 0, handles: [] })
  }
}

/** @returns false: no such handle. One of an earlier receiving is taken, and deletes nothing. */
function remove(queue: Queue, handle: unknown): boolean {
  const at = queue.messages.findIndex(({ handles }) => handles.at(-1) === handle)
  if (at >= 0) queue.messages.splice(at, 1)
  return typeof handle === 'string' && /^[0-9a-f-]{36}$/.test(handle)
}

function hide({ deps, queue }: Ask, { ReceiptHandle, VisibilityTimeout }: Input): boolean {
  const seconds = number({ VisibilityTimeout }, 'VisibilityTimeout', 0, 43_200, -1)
  const message = queue.messages.find(({ handles }) => handles.at(-1) === ReceiptHandle)
  if (!message || message.visibleAt <= deps.now() || seconds < 0) return false
  message.visibleAt = deps.now() + seconds * 1000
  return true
}

function batch({ input }: Ask, members: readonly string[], work: (entry: Input) => boolean): object {
  known(input, ['QueueUrl', 'Entries'])
  const entries = input.Entries as Input[]
  if (!Array.isArray(entries) || entries.length === 0) throw new AwsFault('EmptyBatchRequest', 400, 'no entries')
  if (entries.length > 10) throw new AwsFault('TooManyEntriesInBatchRequest', 400, 'more than ten entries')
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length)
    throw new AwsFault('BatchEntryIdsNotDistinct', 400, 'two entries with one Id')
  for (const entry of entries) {
    known(entry, members)
    if (!/^[\w-]{1,80}$/.test(String(entry.Id))) throw new AwsFault('InvalidBatchEntryId', 400, 'Id')
  }
  const ended = entries.map((entry) => ({ Id: entry.Id, isDone: work(entry) }))
  const failed = { SenderFault: true, Code: 'ReceiptHandleIsInvalid', Message: 'The receipt handle is invalid.' }
  return {
    Successful: ended.filter(({ isDone }) => isDone).map(({ Id }) => ({ Id })),
    Failed: ended.filter(({ isDone }) => !isDone).map(({ Id }) => ({ Id, ...failed })),
  }
}

function attributes({ deps, queue, input }: Ask): object {
  known(input, ['QueueUrl', 'AttributeNames'])
  const { deadLetters } = queue
  const now = deps.now()
  const all: Record<string, string> = {
    ApproximateNumberOfMessages: String(queue.messages.filter(({ visibleAt }) => visibleAt <= now).length),
    ApproximateNumberOfMessagesNotVisible: String(queue.messages.filter(({ visibleAt }) => visibleAt > now).length),
    QueueArn: arnOf(queue),
    ...(deadLetters && {
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: deadLetters.arn,
        maxReceiveCount: deadLetters.mostReceives,
      }),
    }),
  }
  const names = input.AttributeNames as string[]
  return { Attributes: Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))) }
}

function known(input: Input, names: readonly string[]): void {
  for (const name of Object.keys(input))
    if (!names.includes(name)) throw new AwsFault('SerializationException', 400, `there is no member ${name}`)
}

function number(input: Input, name: string, least: number, most: number, fallback: number): number {
  const value = input[name] ?? fallback
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new AwsFault('InvalidParameterValue', 400, `Value ${String(value)} for parameter ${name} is invalid.`)
}

function badHandle(): AwsFault {
  return new AwsFault('ReceiptHandleIsInvalid', 400, 'The receipt handle is invalid.')
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
