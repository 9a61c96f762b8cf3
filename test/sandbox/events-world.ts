import type { Queue } from './aws/queue.ts'
import { arnOf, urlOf } from './aws/sqs.ts'
import type { World } from './aws/world.ts'
import { accounts, region } from './default-world.ts'

export const trailBucket = 'example-org-trail'

/** The queue of events with its dead letters, in the hub's account, and an empty bucket of a trail. */
export function addEventQueue(world: World): { readonly url: string; readonly queue: Queue; readonly dead: Queue } {
  const place = { account: accounts.hub, region, visibilitySeconds: 30, deadLetters: null }
  const dead: Queue = { ...place, name: 'sallyport-events-dead', messages: [] }
  const deadLetters = { arn: arnOf(dead), mostReceives: 5 }
  const queue: Queue = { ...place, name: 'sallyport-events', deadLetters, messages: [] }
  world.queues = [queue, dead]
  world.objects = { [trailBucket]: {} }
  return { url: urlOf(queue), queue, dead }
}
