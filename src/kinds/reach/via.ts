import { Type } from 'typebox'
import type { ViaInstances } from '../../../proxy/session.ts'
import type { Problem } from '../../catalog/kind.ts'
import type { SessionDocumentPart } from '../../catalog/policy-part.ts'
import type { Config } from '../../config/config.ts'

const form = /^ec2-instance\/([0-9]{12})\/([a-z]{2}(?:-[a-z]+)+-[0-9])\/(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))$/
const expected = 'expected the id of an instance, ec2-instance/ACCOUNT/REGION/i-…'
const most = 8

const Instance = (description: string) =>
  Type.String({
    pattern: form.source,
    patternErrorMessage: expected,
    description,
    examples: ['ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0'],
  })

/** The attribute `via`. */
export const Via = Type.Union(
  [
    Instance('Instance through which it is reached'),
    Type.Array(Instance('Instance; the first one is preferred'), { minItems: 1, maxItems: most }),
  ],
  {
    description:
      'EC2 instance, or several in order of preference, through which it is reached over Session Manager; by default it is reached over the network of the broker',
    errorMessage: expected,
    examples: ['ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0'],
  },
)

interface Placed {
  readonly account: string
  readonly region: string
  /** `connect_address` is given. */
  readonly hasAddress: boolean
  /** Its endpoint has a name that AWS formed. */
  readonly isNamedByAws: boolean
}

/** @returns the ids of the instances, and what is wrong */
export function readVia(
  via: string | readonly string[] = [],
  placed: Placed,
): { instances: string[]; problems: Problem[] } {
  const problems: Problem[] = []
  const report = (path: string, message: string) => problems.push({ path, message })
  const ids = [via].flat()
  const instances = ids.map((id, i) => {
    const path = Array.isArray(via) ? `via[${i}]` : 'via'
    const [, account, region, instance = ''] = form.exec(id) ?? []
    if (account !== placed.account)
      report(path, `the instance is in account ${account}, but the resource is in ${placed.account}`)
    if (region !== placed.region) report(path, `the instance is in ${region}, but the resource is in ${placed.region}`)
    if (ids.indexOf(id) < i) report(path, 'is named twice')
    return instance
  })
  if (instances.length > 0) problems.push(...unreachable(placed))
  return { instances, problems }
}

/** What the session document refuses to lead to. */
function unreachable({ hasAddress, isNamedByAws }: Placed): Problem[] {
  const problems: Problem[] = []
  if (hasAddress)
    problems.push({
      path: 'connect_address',
      message: 'has no effect with via: the instance connects to the endpoint',
      fix: 'remove it',
    })
  if (!isNamedByAws)
    problems.push({
      path: 'endpoint',
      message: 'with via, expected the name that AWS gives for it: instances lead nowhere else',
    })
  return problems
}

/** What an approver should know of it. @returns sentences */
export function viaLimits(via: readonly string[]): string[] {
  if (via.length === 0) return []
  return [
    `It is reached through ${via.join(' or ')}, over Session Manager: the instance passes on what is encrypted from the broker to the target.`,
  ]
}

/** The way to a target that instances lead to. */
export function viaOf(
  { via: instances, ...place }: ViaInstances['place'] & { readonly via: readonly string[] },
  { accounts }: Pick<Config['aws'], 'accounts'>,
  { name: document }: Pick<SessionDocumentPart, 'name'>,
): ViaInstances | undefined {
  if (instances.length === 0) return undefined
  const { partition, account, region } = place
  const key = accounts[account]?.trust === 'web_identity' ? null : 'hub'
  return { key, instances, place: { partition, account, region }, document }
}
