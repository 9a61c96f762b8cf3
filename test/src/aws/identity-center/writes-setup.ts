import type { Test } from 'tap'
import type { AssignmentPlaces } from '../../../../src/aws/identity-center/assignment-places.ts'
import { findInstance } from '../../../../src/aws/identity-center/read-identity-center.ts'
import { createDirectory } from '../../../../src/aws/identity-center/users.ts'
import { createIdentityCenterWrites } from '../../../../src/aws/identity-center/writes.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import type { IdentityCenter, World } from '../../../sandbox/aws/world.ts'
import { allow, arns, region } from '../../../sandbox/default-world.ts'
import { outsideActor } from '../../../sandbox/identity-center-outsiders.ts'
import { unhurried } from '../hub-setup.ts'
import { startIdentityCenter } from './identity-center-setup.ts'

interface Options extends NonNullable<Parameters<typeof startIdentityCenter>[2]> {
  readonly places?: AssignmentPlaces
  /** The hub role may do all of it. */
  readonly isAllowed?: boolean
}

/** The broker's changes of Identity Center, by way of the hub role, against a referee. */
export async function startWrites(
  t: Test,
  change: (center: IdentityCenter, world: World) => void = () => {},
  { places, isAllowed = true, ...options }: Options = {},
) {
  const started = await startIdentityCenter(
    t,
    (center, world) => {
      const hub = world.roles.find(({ arn }) => arn === arns.hub)
      if (isAllowed) hub?.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
      change(center, world)
    },
    options,
  )
  const { broker, config, metrics, calls } = started
  const deps = { aws: broker, config, metrics, region, paced: options.paced ?? new Paced(unhurried) }
  const writes = createIdentityCenterWrites({
    ...deps,
    findInstance: (signal) => findInstance(calls, { managementAccount: started.center.ownerAccount, signal }),
    ...(places ? { places } : {}),
  })
  const directory = createDirectory({ ...deps, instance: (signal) => writes.instance(signal) })
  return { ...started, writes, directory, outside: outsideActor(started.center) }
}
