import type { Test } from 'tap'
import { Paced } from '../../../../src/aws/paced.ts'
import type { Held } from '../../../../src/catalog/kind.ts'
import type { Config } from '../../../../src/config/config.ts'
import { identityCenterPushers } from '../../../../src/kinds/identity-center/pushers.ts'
import type { IdentityCenter, World } from '../../../sandbox/aws/world.ts'
import { region } from '../../../sandbox/default-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'
import { resource } from '../../access/access-setup.ts'
import { unhurried } from '../../aws/hub-setup.ts'
import { startWrites } from '../../aws/identity-center/writes-setup.ts'

/** The pushers of both kinds against a referee that has an organization. */
export async function startPushers(t: Test, change: (center: IdentityCenter, world: World) => void = () => {}) {
  const started = await startWrites(t, (center, world) => {
    world.organization = createOrganization()
    change(center, world)
  })
  const config = { aws: started.config, inventory: { identityCenter: { region } } } as unknown as Config
  const deps = { aws: started.broker, config, metrics: started.metrics, paced: new Paced(unhurried) }
  return { ...started, pushers: identityCenterPushers(deps) }
}

interface Reader<T> {
  readonly target: { read(of: never): { readonly ok: boolean; readonly value?: T } }
}

/** A resource as a grant holds it. */
export function heldOf<T>(kind: Reader<T>, id: string, attributes: object): Held<T> {
  const found = { ...resource(id, { attributes: attributes as never }), account: id.split('/')[1] ?? null }
  const read = kind.target.read(found as never)
  if (!read.ok) throw new Error('it is a target')
  return { resource: found, target: read.value as T, level: undefined } as unknown as Held<T>
}
