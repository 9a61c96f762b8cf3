import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Kind, Parsed, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import type { Resource } from '../../catalog/resource.ts'
import { RoleArn, strict } from '../../config/schema/members.ts'
import { discoveredMembers, type InstanceFacts, toFacts } from './found/facts.ts'

/** One EC2 instance, known by its id: an instance that replaces it is another resource. */
export interface InstanceTarget {
  readonly partition: string
  readonly account: string
  readonly region: string
  /** `i-…` */
  readonly instanceId: string
  /** ARN of the role whose session opens shells; null: the spoke role itself. */
  readonly role: string | null
  /** Left out: it was not discovered. */
  readonly facts?: InstanceFacts
}

const schema = Type.Object(
  {
    platform: Type.Optional(
      Type.String({
        pattern: '^(linux|windows)$',
        patternErrorMessage: 'expected linux',
        errorMessage: 'expected linux',
        description: 'Operating system of the instance; sessions on windows are not supported yet, and refused here',
        default: 'linux',
        examples: ['linux'],
      }),
    ),
    role: Type.Optional(
      RoleArn('IAM role whose session opens sessions at the instance; by default the spoke role itself'),
    ),
  },
  strict,
)

/** What is written by hand, with what was discovered. */
const complete = Type.Object({ ...schema.properties, ...discoveredMembers }, strict)

const words = { noun: 'an instance', mapping: 'expected a mapping' }

export const instanceTarget: Kind<InstanceTarget>['target'] = {
  schema,
  read: (resource) => {
    const { attributes } = resource
    if (Value.Check(complete, attributes)) return readTarget(resource, attributes)
    return { ok: false, problems: memberProblems(schema, attributes, words) }
  },
}

function readTarget(resource: Resource, attributes: Static<typeof complete>): Parsed<InstanceTarget> {
  const { platform, role: named } = attributes
  const { partition, account, region, name: instanceId } = resource
  const role = named ?? null
  if (account === null || region === null)
    return { ok: false, problems: [{ path: 'id', message: 'expected KIND/ACCOUNT/REGION/NAME' }] }
  const problems: Problem[] = []
  const report = (path: string, message: string, fix: string) => problems.push({ path, message, fix })
  if (!/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(instanceId))
    report('id', `expected the id of an instance as its name, got "${instanceId}"`, 'end the id in i-… of the instance')
  if (platform === 'windows')
    report('platform', 'sessions on windows are not supported yet', 'remove the entry, or use platform: linux')
  const roleAccount = role?.split(':')[4]
  if (roleAccount !== undefined && roleAccount !== account)
    report(
      'role',
      `the role is in account ${roleAccount}, but the resource is in ${account}`,
      `use a role of account ${account}`,
    )
  if (problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: {
      partition,
      account,
      region,
      instanceId,
      role,
      ...(attributes.state === undefined ? {} : { facts: toFacts(attributes) }),
    },
  }
}
