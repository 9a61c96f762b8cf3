import type { Test } from 'tap'
import { createOrganizationCalls, type OrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import type { Organization, World } from '../../../sandbox/aws/world.ts'
import type { AwsDouble, AwsOptions } from '../../../sandbox/aws.ts'
import type { SandboxClock } from '../../../sandbox/clock.ts'
import { createWorld } from '../../../sandbox/default-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'
import { startHub, unhurried } from '../hub-setup.ts'

export interface Started {
  readonly aws: AwsDouble
  readonly world: World
  readonly organization: Organization
  readonly clock: SandboxClock
  readonly calls: OrganizationCalls
  readonly outcomes: () => Promise<Record<string, number>>
  /** Operations of Organizations so far, oldest first. */
  readonly operations: () => string[]
}

/** The broker's calls, by way of the hub role, against a referee. */
export async function startOrganization(
  t: Test,
  change: (organization: Organization, world: World) => void = () => {},
  { paced = new Paced(unhurried), ...options }: Pick<AwsOptions, 'onExchange'> & { paced?: Paced } = {},
): Promise<Started> {
  const world = createWorld()
  const organization = createOrganization()
  world.organization = organization
  change(organization, world)
  const { aws, clock, broker, config, metrics, outcomes } = await startHub(t, world, options)
  return {
    aws,
    world,
    organization,
    clock,
    calls: createOrganizationCalls({ aws: broker, config, metrics, paced }),
    outcomes: () => outcomes('organizations'),
    operations: () => aws.calls.flatMap(({ action }) => (/^AssumeRole/.test(action) ? [] : [action])),
  }
}
