import { root, type Xml } from './answers.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { World } from './world.ts'

/**
 * `s3:ListBuckets`: a resource that evaluates what the caller may do now (identity policies, boundary, session policy), so that a
 * session that was killed is seen to be dead.
 * @throws AwsFault AccessDenied
 */
export function listBuckets(
  deps: { readonly world: World; isDenied(action: string): boolean },
  caller: Caller,
  now: number,
): string {
  const action = 's3:ListAllMyBuckets'
  const access = {
    action,
    resource: 'arn:aws:s3:::*',
    context: callerContext(deps.world, caller, now, 'arn:aws:s3:::*'),
  }
  const why = deps.isDenied(action) ? 'denied by a fault knob' : refusal(deps.world, caller, access)
  if (why) throw new AwsFault('AccessDenied', 403, `User: ${caller.arn} is not authorized to perform: ${action}`, why)
  const buckets = (deps.world.buckets[caller.account] ?? []).map(
    (name): Xml => [
      'Bucket',
      [
        ['Name', name],
        ['CreationDate', '2026-01-15T12:00:00.000Z'],
      ],
    ],
  )
  return root(
    'ListAllMyBucketsResult',
    [
      [
        'Owner',
        [
          ['ID', caller.account],
          ['DisplayName', 'sandbox'],
        ],
      ],
      ['Buckets', buckets],
    ],
    's3',
  )
}
