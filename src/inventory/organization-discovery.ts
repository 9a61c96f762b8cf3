import { BrokerError } from '../../proxy/session.ts'
import { DailyAnswers } from '../aws/daily.ts'
import type { OrganizationPicture, Tags } from '../aws/organization/picture.ts'
import type { ReadOptions } from '../aws/organization/read-organization.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Discovery } from './discovery.ts'
import { organizationResources } from './organization-resources.ts'

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
export type ReadPicture = (
  options: Pick<ReadOptions, 'signal' | 'onProgress' | 'knownTags'>,
) => Promise<OrganizationPicture>

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
export type ReadNode = (id: string, signal: AbortSignal) => Promise<Pick<OrganizationPicture, 'accounts' | 'units'>>

/**
 * Accounts and units, read whole, or one of them by itself. Tags, which cost a call for each, are kept for half a day to a day, but for
 * what a person asks for and what something has changed.
 */
export function organizationDiscovery(read: ReadPicture, readNode: ReadNode, clock: Pick<Clock, 'now'>): Discovery {
  const tags = new DailyAnswers<Tags>(clock)
  let known: Pick<OrganizationPicture, 'id' | 'managementAccount' | 'root'> | undefined
  const discovery: Discovery = {
    name: 'organization',
    per: 'organization',
    service: 'organizations',
    isOn: ({ organization }) => organization,
    read: async (_place, { signal, onProgress, isAsked = false }) => {
      const picture = await read({
        signal,
        knownTags: (id) => (isAsked ? undefined : tags.get(id)),
        ...(onProgress ? { onProgress } : {}),
      })
      if (picture.accounts.length === 0)
        throw new BrokerError('AWS_UNAVAILABLE', 'AWS shows an organization without any account')
      tags.keep([...picture.accounts, ...picture.units].map((one) => [one.id, one.tags]))
      known = picture
      return organizationResources(picture)
    },
    readOne: async (place, resourceId, options) => {
      const id = resourceId.slice(resourceId.lastIndexOf('/') + 1)
      tags.forget(id)
      const found = known
        ? organizationResources({ ...known, ...(await readNode(id, options.signal)) })
        : await discovery.read(place, options)
      return found.find((one) => one.id === resourceId) ?? null
    },
  }
  return discovery
}
