import { Type } from 'typebox'
import { queueUrlPattern } from '../queue-url.ts'
import { strict } from './members.ts'

export const InventoryEvents = Type.Object(
  {
    queue: Type.String({
      pattern: queueUrlPattern,
      patternErrorMessage: 'expected the URL of a standard queue of SQS: https://HOST/ACCOUNT/NAME',
      description: 'URL of the queue; the hub role reads it',
      examples: ['https://sqs.eu-west-1.amazonaws.com/111122223333/sallyport-events'],
    }),
    region: Type.Optional(
      Type.String({
        pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$',
        patternErrorMessage: 'expected a region such as eu-west-1',
        description: 'Region of the queue, where the host of its URL does not say it',
        examples: ['eu-west-1'],
      }),
    ),
    buckets: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
          patternErrorMessage: 'expected the name of a bucket',
        }),
        {
          maxItems: 20,
          uniqueItems: true,
          description:
            'Buckets that CloudTrail puts its records into, where the queue hears of those; no other is read',
          examples: [['example-org-trail']],
        },
      ),
    ),
  },
  {
    ...strict,
    description:
      'Changes in AWS, as a queue of SQS tells of them: what they are about is read again within seconds; `aws policies --feature events` prints what that needs',
  },
)
