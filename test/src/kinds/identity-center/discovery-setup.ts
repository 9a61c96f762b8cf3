import type { Test } from 'tap'
import { createOrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import type { Config } from '../../../../src/config/config.ts'
import { identityCenterDiscovery } from '../../../../src/kinds/permission-set/discovery.ts'
import { createLogger } from '../../../../src/telemetry/logger.ts'
import type { IdentityCenter, Organization, World } from '../../../sandbox/aws/world.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'
import { signal, unhurried } from '../../aws/hub-setup.ts'
import { startIdentityCenter } from '../../aws/identity-center/identity-center-setup.ts'

type Wanted = NonNullable<Config['inventory']['identityCenter']>
export const provisioned: Wanted = { region: null, import: 'provisioned' }

/** The discovery against a referee that has an organization and Identity Center. */
export async function startDiscovery(
  t: Test,
  change: (world: { center: IdentityCenter; organization: Organization; world: World }) => void = () => {},
) {
  const organization = createOrganization()
  const setup = await startIdentityCenter(t, (center, world) => {
    world.organization = organization
    change({ center, organization, world })
  })
  const { broker: aws, config, metrics, clock } = setup
  const organizations = createOrganizationCalls({ aws, config, metrics, paced: new Paced(unhurried) })
  const logger = createLogger({ level: 'silent' })
  const discovery = identityCenterDiscovery(
    { aws, clock, config, logger, metrics, organizations, isOwnAccount: () => false },
    unhurried,
  )
  const place = { partition: 'aws', account: accounts.hub, region: null }
  const settingsOf = (identityCenter: Wanted) => ({
    organization: true,
    import: null,
    everyMs: 900_000,
    identityCenter,
  })
  return {
    ...setup,
    organization,
    discovery,
    settingsOf,
    read: (wanted: Wanted = provisioned, isAsked = false) =>
      discovery.read(place, { signal, settings: settingsOf(wanted), isAsked }),
    readOne: async (id: string, wanted: Wanted = provisioned) =>
      await discovery.readOne?.(place, id, { signal, settings: settingsOf(wanted) }),
  }
}
