/** The same against moto, whose queues and buckets others wrote. It checks no permission. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import t from 'tap'
import { createEventObjects } from '../../../../src/aws/events/event-objects.ts'
import { createEventQueue } from '../../../../src/aws/events/event-queue.ts'
import { queuePlace } from '../../../../src/config/queue-url.ts'
import { region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { startMotoHub } from '../hub-setup.ts'
import { eventsContract } from './contract.ts'

t.test('moto', { skip: motoMissing() }, (t) =>
  eventsContract(t, async (t) => {
    const { url: endpoint, broker, config, metrics } = await startMotoHub(t)
    const credentials = await broker.hub?.()
    if (!credentials) throw new Error('there is a hub role')
    const sqs = new SQSClient({ endpoint, region, credentials })
    const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
    t.teardown(() => {
      sqs.destroy()
      s3.destroy()
    })
    const bucket = 'example-org-trail'
    await s3.send(
      new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: region } }),
    )
    const { QueueUrl: deadUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'dead' }))
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: deadUrl, AttributeNames: ['QueueArn'] }),
    )
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: 2 })
    const { QueueUrl: url = '' } = await sqs.send(
      new CreateQueueCommand({ QueueName: 'events', Attributes: { RedrivePolicy } }),
    )
    const parts = { aws: broker, config, metrics }
    const at = (queueUrl: string) => createEventQueue({ ...parts, queue: queuePlace(queueUrl, region) })
    return {
      queue: at(url),
      missing: at(url.replace('events', 'nowhere')),
      objects: createEventObjects({ ...parts, region }),
      bucket,
      putObject: async (Key, Body) => {
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
      },
    }
  }),
)
