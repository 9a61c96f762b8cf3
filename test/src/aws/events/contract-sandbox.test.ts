import t from 'tap'
import { createEventObjects } from '../../../../src/aws/events/event-objects.ts'
import { createEventQueue } from '../../../../src/aws/events/event-queue.ts'
import { queuePlace } from '../../../../src/config/queue-url.ts'
import { createWorld, region } from '../../../sandbox/default-world.ts'
import { addEventQueue, trailBucket } from '../../../sandbox/events-world.ts'
import { startHub } from '../hub-setup.ts'
import { eventsContract } from './contract.ts'

t.test('the sandbox', (t) =>
  eventsContract(t, async (t) => {
    const world = createWorld()
    const { url, queue } = addEventQueue(world)
    if (queue.deadLetters) queue.deadLetters.mostReceives = 2
    const { broker, config, metrics } = await startHub(t, world)
    const parts = { aws: broker, config, metrics }
    const at = (queueUrl: string) => createEventQueue({ ...parts, queue: queuePlace(queueUrl, region) })
    return {
      queue: at(url),
      missing: at(url.replace('sallyport-events', 'sallyport-events-nowhere')),
      objects: createEventObjects({ ...parts, region }),
      bucket: trailBucket,
      putObject: async (key, body) => {
        Object.assign(world.objects?.[trailBucket] ?? {}, { [key]: body })
      },
    }
  }),
)
