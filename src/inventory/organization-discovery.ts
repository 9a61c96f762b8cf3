import { BrokerError } from '../../proxy/session.ts'
import type { OrganizationPicture } from '../aws/organization/picture.ts'
import type { ReadOptions } from '../aws/organization/read-organization.ts'
import type { Discovery } from './discovery.ts'
import { organizationResources } from './organization-resources.ts'

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
export type ReadPicture = (options: Pick<ReadOptions, 'signal' | 'onProgress'>) => Promise<OrganizationPicture>

/** Accounts and units, read whole. */
export function organizationDiscovery(read: ReadPicture): Discovery {
  return {
    name: 'organization',
    per: 'organization',
    service: 'organizations',
    isOn: ({ organization }) => organization,
    read: async (_place, { signal, onProgress }) => {
      const picture = await read({ signal, ...(onProgress ? { onProgress } : {}) })
      if (picture.accounts.length === 0)
        throw new BrokerError('AWS_UNAVAILABLE', 'AWS shows an organization without any account')
      return organizationResources(picture)
    },
  }
}
