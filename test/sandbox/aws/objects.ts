/** `GetObject` of S3, by the path of its bucket. Left out: ranges, versions, policies of buckets. */
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { World } from './world.ts'

/** @param path `/BUCKET/KEY` @throws AwsFault AccessDenied, NoSuchBucket, NoSuchKey */
export function getObject(
  deps: { readonly world: World; isDenied(action: string): boolean },
  caller: Caller,
  path: string,
  now: number,
): Buffer {
  const [, bucket = '', ...parts] = decodeURIComponent(path).split('/')
  const key = parts.join('/')
  const action = 's3:GetObject'
  const resource = `arn:aws:s3:::${bucket}/${key}`
  const context = callerContext(deps.world, caller, now, resource)
  const why = deps.isDenied(action)
    ? 'denied by a fault knob'
    : refusal(deps.world, caller, { action, resource, context })
  const denied = (what: string) => `User: ${caller.arn} is not authorized to perform: ${what} on resource: ${resource}`
  if (why) throw new AwsFault('AccessDenied', 403, denied(action), why)
  if (deps.isDenied('kms:Decrypt')) throw new AwsFault('AccessDenied', 403, denied('kms:Decrypt'))
  const objects = deps.world.objects?.[bucket]
  if (!objects) throw new AwsFault('NoSuchBucket', 404, 'The specified bucket does not exist')
  const object = objects[key]
  if (!object) throw new AwsFault('NoSuchKey', 404, 'The specified key does not exist.')
  return object
}
