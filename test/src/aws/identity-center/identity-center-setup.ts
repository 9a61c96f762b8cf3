import type { Test } from 'tap'
import {
  createIdentityCenterCalls,
  type IdentityCenterCalls,
} from '../../../../src/aws/identity-center/identity-center-calls.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import type { IdentityCenter, World } from '../../../sandbox/aws/world.ts'
import type { AwsOptions } from '../../../sandbox/aws.ts'
import { createWorld, region } from '../../../sandbox/default-world.ts'
import { createIdentityCenterWorld } from '../../../sandbox/identity-center-world.ts'
import { type SandboxHub, startHub, unhurried } from '../hub-setup.ts'

export interface Started extends Omit<SandboxHub, 'outcomes'> {
  readonly center: IdentityCenter
  readonly calls: IdentityCenterCalls
  callsIn(region: string): IdentityCenterCalls
  /** Calls so far by `operation outcome`. */
  outcomes(): Promise<Record<string, number>>
}

/** The broker's calls, by way of the hub role, against a referee. */
export async function startIdentityCenter(
  t: Test,
  change: (center: IdentityCenter, world: World) => void = () => {},
  { paced = new Paced(unhurried), ...options }: Pick<AwsOptions, 'onExchange'> & { paced?: Paced } = {},
): Promise<Started> {
  const world = createWorld()
  const center = createIdentityCenterWorld()
  world.identityCenter = center
  change(center, world)
  const hub = await startHub(t, world, options)
  const callsIn = (region: string) =>
    createIdentityCenterCalls({ aws: hub.broker, config: hub.config, metrics: hub.metrics, region, paced })
  return { ...hub, center, calls: callsIn(region), callsIn, outcomes: () => hub.outcomes('sso', 'identitystore') }
}
