import { gzipSync } from 'node:zlib'
import t from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import type { EventHint } from '../../../../src/aws/events/event-table.ts'
import type { HintOutcome } from '../../../../src/inventory/events/hint-schedule.ts'
import { trailBucket } from '../../../sandbox/events-world.ts'
import { waitUntil } from '../../../wait-until.ts'
import { callEvent, record, samples } from '../../aws/events/event-samples.ts'
import { startFollower } from './follower-setup.ts'

const key = (name: string) => `AWSLogs/222222222222/CloudTrail/eu-west-1/2026/01/15/${name}.json.gz`
const notice = (given: string, bucket = trailBucket) => ({
  Records: [
    { eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3: { bucket: { name: bucket }, object: { key: given } } },
  ],
})
const inTopic = (message: unknown) => ({ Type: 'Notification', Message: JSON.stringify(message) })
/** It happened just now. */
const tagRole = { ...samples.tagRole, eventTime: new Date().toISOString() }
const resourcesOf = (hints: readonly EventHint[]) => hints.map(({ resourceId, discovery }) => resourceId ?? discovery)

t.test('by EventBridge: what an event is about is read again, and then the message is gone', async (t) => {
  const { daemon, signal, send, queue, hints, outcomes, problems } = await startFollower(t)
  void daemon().run(signal)
  send(callEvent(tagRole))
  await waitUntil(() => queue.messages.length === 0, 'the message is removed')
  t.same(resourcesOf(hints), ['iam-role/222222222222/App'])
  t.same(await outcomes(), { read: 1 })
  t.same(problems, [null])
})

t.test('by S3 and SNS: the records of an object, of which most only read', async (t) => {
  const { daemon, signal, send, queue, hints, world } = await startFollower(t)
  const records = [
    record({ ...samples.createRole, eventTime: tagRole.eventTime }, 'one'),
    { ...record(tagRole, 'two'), readOnly: true },
    record({ ...samples.runInstances, eventName: 'DescribeInstances' }, 'three'),
    record(samples.terminateInstances, 'four'),
  ]
  Object.assign(world.objects?.[trailBucket] ?? {}, { [key('a')]: gzipSync(JSON.stringify({ Records: records })) })
  send(inTopic(notice(key('a'))))
  send(notice('AWSLogs/222222222222/CloudTrail-Digest/eu-west-1/2026/01/15/x.json.gz'))
  void daemon().run(signal)
  await waitUntil(() => queue.messages.length === 0, 'both messages are removed')
  t.same(resourcesOf(hints).sort(), ['ec2-instance', 'iam-role/222222222222/App'], 'of old news all of the place')
})

t.test('copies of an event, by both ways and in any order, are read once', async (t) => {
  const { daemon, signal, send, queue, hints, world, outcomes } = await startFollower(t)
  const content = gzipSync(JSON.stringify({ Records: [record(tagRole)] }))
  Object.assign(world.objects?.[trailBucket] ?? {}, { [key('b')]: content })
  send(notice(key('b')))
  send(callEvent(tagRole))
  send(callEvent(tagRole))
  void daemon().run(signal)
  await waitUntil(() => queue.messages.length === 0, 'all are removed')
  send(callEvent(tagRole))
  await waitUntil(() => queue.messages.length === 0, 'the last one is removed')
  t.equal(hints.length, 1)
  t.same(await outcomes(), { read: 1, duplicate: 3 })
})

t.test('a forged event with the id of a true one does not stand in for it', async (t) => {
  const { daemon, signal, send, queue, hints, outcomes } = await startFollower(t)
  send(callEvent({ ...tagRole, requestParameters: { roleName: 'Other' } }))
  send(callEvent(tagRole))
  void daemon().run(signal)
  await waitUntil(() => queue.messages.length === 0, 'both are removed')
  t.same(resourcesOf(hints).sort(), ['iam-role/222222222222/App', 'iam-role/222222222222/Other'])
  t.same(await outcomes(), { read: 2 })
})

t.test(
  'records of one object about the same are one reading; of more than anyone changes, it is left to passes',
  async (t) => {
    const { daemon, signal, send, queue, hints, world, outcomes } = await startFollower(t)
    const put = (name: string, roles: readonly string[]) => {
      const records = roles.map((roleName, i) =>
        record({ ...tagRole, requestParameters: { roleName } }, `${name}-${i}`),
      )
      Object.assign(world.objects?.[trailBucket] ?? {}, { [key(name)]: gzipSync(JSON.stringify({ Records: records })) })
      send(notice(key(name)))
    }
    put(
      'same',
      Array.from({ length: 5000 }, () => 'App'),
    )
    void daemon().run(signal)
    await waitUntil(() => queue.messages.length === 0, 'it is removed')
    t.same(resourcesOf(hints), ['iam-role/222222222222/App'])
    put(
      'many',
      Array.from({ length: 2001 }, (_, i) => `Role${i}`),
    )
    await waitUntil(async () => (await outcomes()).unreadable === 1, 'it is left')
    t.equal(hints.length, 1)
  },
)

t.test('a message stays until its reading has ended, whichever daemon reads then', async (t) => {
  const held = Promise.withResolvers<HintOutcome>()
  let readings = 0
  const { daemon, signal, send, queue, hints, clock, aws } = await startFollower(t, () => {
    readings += 1
    return readings === 1 ? held.promise : Promise.resolve('read')
  })
  const standing = new AbortController()
  void daemon().run(standing.signal)
  send(callEvent(tagRole))
  await waitUntil(() => hints.length === 1, 'the first daemon reads')
  await waitUntil(() => aws.sqs.polls === 1, 'and waits for more')
  standing.abort()
  await waitUntil(() => aws.sqs.polls === 0, 'it stands still')
  t.equal(queue.messages.length, 1)
  clock.advance(61_000) // it stands still: nothing hides the message any longer
  void daemon().run(signal)
  await waitUntil(() => queue.messages.length === 0, 'another daemon has read and removed it')
  t.equal(readings, 2)
  held.resolve('read')
})

t.test('what is still read is kept hidden, for ten minutes', async (t) => {
  const held = Promise.withResolvers<HintOutcome>()
  const { daemon, signal, send, queue, hints, clock } = await startFollower(t, () => held.promise)
  const follower = daemon()
  void follower.run(signal)
  send(callEvent(tagRole))
  await waitUntil(() => hints.length === 1, 'it is being read')
  const [message] = queue.messages
  for (let round = 1; round <= 12; round += 1) {
    clock.advance(50_000)
    await follower.keep(signal)
    t.ok((message?.visibleAt ?? 0) > clock.now(), `after ${round} × 50 s`)
  }
  t.equal(message?.receives, 1)
  clock.advance(50_000)
  await waitUntil(() => message?.receives === 2, 'it has come again')
  held.resolve('read')
})

t.test('a reading that fails: the message comes again; one that AWS refuses: the pass says it', async (t) => {
  const codes = ['AWS_UNAVAILABLE', 'AWS_DENIED'] as const
  const { daemon, signal, send, queue, hints, clock, outcomes } = await startFollower(t, async () => {
    throw new BrokerError(codes[hints.length - 1] ?? 'AWS_DENIED', 'as the test says')
  })
  void daemon().run(signal)
  send(callEvent(tagRole))
  await waitUntil(async () => (await outcomes()).failed === 1, 'the first reading has failed')
  t.equal(queue.messages.length, 1)
  clock.advance(61_000)
  await waitUntil(() => queue.messages.length === 0, 'it is read again, and removed')
  t.same(await outcomes(), { failed: 1, denied: 1 })
  t.equal(hints.length, 2)
})

t.test('a daemon that has only begun to lead, or leads no longer, leaves messages to come again', async (t) => {
  const { daemon, signal, send, queue, hints, clock, outcomes } = await startFollower(t, async () => {
    if (hints.length === 1) throw new BrokerError('NOT_LEADER')
    return 'read'
  })
  void daemon().run(signal)
  send(callEvent(tagRole))
  await waitUntil(() => hints.length === 1, 'it is received')
  const [message] = queue.messages
  await waitUntil(() => (message?.visibleAt ?? 0) <= clock.now() + 1000, 'it is hidden for a second only')
  clock.advance(2000)
  await waitUntil(() => queue.messages.length === 0, 'it is read')
  t.same(await outcomes(), { read: 1 })
})

t.test('a daemon that no longer leads gives back what it has', async (t) => {
  const held = Promise.withResolvers<HintOutcome>()
  const { daemon, signal, send, queue, hints, leader, clock } = await startFollower(t, () => held.promise)
  const follower = daemon()
  void follower.run(signal)
  send(callEvent(tagRole))
  await waitUntil(() => hints.length === 1, 'it is received')
  leader.isLeader = false
  await follower.keep(signal)
  const [message] = queue.messages
  await waitUntil(() => (message?.visibleAt ?? 0) <= clock.now(), 'it is visible again')
  held.resolve('read')
})

t.test('what cannot be read goes to the dead letters, and others pass it', async (t) => {
  const { daemon, signal, send, queue, dead, hints, clock, outcomes, metrics } = await startFollower(t)
  const follower = daemon()
  void follower.run(signal)
  send('{"no": "event"}')
  send(notice(key('a'), 'bucket-of-others'))
  for (let round = 1; round <= 5; round += 1) {
    await waitUntil(async () => (await outcomes()).unreadable === 2 * round, `received ${round} times`)
    clock.advance(61_000)
  }
  send(callEvent(tagRole))
  await waitUntil(() => queue.messages.length === 0 && dead.messages.length === 2, 'they are dead letters')
  t.equal(hints.length, 1)
  await follower.keep(signal)
  const { values } = await metrics.inventoryQueueMessages.get()
  t.match(values, [
    { labels: { queue: 'events' }, value: 0 },
    { labels: { queue: 'dead-letters' }, value: 2 },
  ])
})

t.test('a queue without dead letters is rid of what cannot be read after five receives', async (t) => {
  const { daemon, signal, send, queue, clock, outcomes } = await startFollower(t, undefined, { hasDeadLetters: false })
  void daemon().run(signal)
  send('text')
  for (let round = 1; round <= 5; round += 1) {
    await waitUntil(async () => (await outcomes()).unreadable === round, `received ${round} times`)
    clock.advance(61_000)
  }
  await waitUntil(() => queue.messages.length === 0, 'it is removed')
})

t.test('objects that are no gzip, too large inflated, or gone', async (t) => {
  const { daemon, signal, send, world, outcomes, hints } = await startFollower(t)
  const bomb = gzipSync(Buffer.concat(Array.from({ length: 300 }, () => Buffer.alloc(1_048_576, ' '))))
  Object.assign(world.objects?.[trailBucket] ?? {}, {
    [key('text')]: Buffer.from('{"Records":[]}'),
    [key('bomb')]: bomb,
    [key('half')]: gzipSync(JSON.stringify({ Records: [record(tagRole)] })).subarray(0, 40),
  })
  for (const name of ['text', 'bomb', 'half']) send(notice(key(name)))
  send(notice(key('gone')))
  void daemon().run(signal)
  await waitUntil(async () => (await outcomes()).unreadable === 3, 'three cannot be read', 30_000)
  await waitUntil(async () => (await outcomes()).failed === 1, 'one is not there')
  t.same(hints, [])
})

t.test('a queue that is gone or refused: said with its fix, and tried again', async (t) => {
  const { daemon, signal, send, queue, world, problems, clock, aws } = await startFollower(t)
  const follower = daemon()
  const { queues } = world
  world.queues = []
  await follower.run(signal)
  t.match(problems, [
    { code: 'AWS_DENIED', message: /there is no queue sallyport-events/, hint: /inventory.events.queue/ },
  ])
  await follower.run(signal)
  t.equal(problems.length, 1, 'it is left alone for a while')
  world.queues = queues ?? []
  aws.faults.deny('sqs:ReceiveMessage')
  clock.advance(10_000)
  await follower.run(signal)
  t.match(problems[1], { message: /sqs:ReceiveMessage is not allowed/, hint: /--feature events/ })
  aws.faults.clear()
  clock.advance(20_000)
  void follower.run(signal)
  send(callEvent(tagRole))
  await waitUntil(() => queue.messages.length === 0, 'it is read')
  t.equal(problems[2], null)
})

t.test('another queue by a reload', async (t) => {
  const { daemon, signal, hints, url, settings, world, aws } = await startFollower(t)
  const follower = daemon()
  const [queue] = world.queues ?? []
  if (!queue) throw new Error('there is a queue')
  const other = { ...queue, name: 'other', deadLetters: null, messages: [] }
  world.queues?.push(other)
  world.roles
    .find(({ arn }) => /SallyportHub/.test(arn))
    ?.policies.push({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sqs:*', Resource: '*' }],
    })
  const running = follower.run(signal)
  const moved = url.replace('sallyport-events', 'other')
  follower.use({ ...settings, queue: moved })
  await running
  void follower.run(signal)
  aws.sqs.put(moved, JSON.stringify(callEvent(tagRole)))
  await waitUntil(() => other.messages.length === 0 && hints.length === 1, 'the other queue is read')
  follower.use(null)
  await follower.run(signal)
})

t.test('a probe is told of, and removed', async (t) => {
  const { daemon, signal, send, queue, probes, outcomes } = await startFollower(t)
  void daemon().run(signal)
  const id = '0123456789abcdef'
  send({ source: 'sallyport', 'detail-type': 'Sallyport Probe', detail: { id, mac: 'k.m' } })
  await waitUntil(() => queue.messages.length === 0, 'it is removed')
  t.same(probes, [[id, 'k.m']])
  t.same(await outcomes(), { probe: 1 })
})
