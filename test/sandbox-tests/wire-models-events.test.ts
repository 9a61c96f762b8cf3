/** The queue of events, both sides of the wire, against AWS's models as botocore has them. */
import t from 'tap'
import { createEventQueue } from '../../src/aws/events/event-queue.ts'
import { queuePlace } from '../../src/config/queue-url.ts'
import { createWorld } from '../sandbox/default-world.ts'
import { addEventQueue } from '../sandbox/events-world.ts'
import { skipWithoutPython } from '../sandbox/programs.ts'
import { type Exchange, misfits } from '../sandbox/wire-models.ts'
import { signal, startHub } from '../src/aws/hub-setup.ts'

const skip = skipWithoutPython('botocore')

t.test('SQS', { skip }, async (t) => {
  const exchanges: Exchange[] = []
  const world = createWorld()
  const { url } = addEventQueue(world)
  const { broker, config, metrics } = await startHub(t, world, { onExchange: (one) => exchanges.push(one) })
  const queue = createEventQueue({ aws: broker, config, metrics, queue: queuePlace(url, null) })
  await queue.send('{}', signal)
  await queue.send('{}', signal)
  const received = await queue.receive(signal)
  const handles = received.map(({ handle }) => handle)
  await queue.hide(handles, 60, signal)
  await queue.remove([...handles, 'of nothing'], signal)
  await queue.depth(signal)
  world.queues = []
  await t.rejects(queue.receive(signal))
  t.same(misfits(exchanges), [])
  t.equal(new Set(exchanges.map(({ operation }) => operation)).size, 5)
})
