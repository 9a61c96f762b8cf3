import type { OrganizationPicture } from '../aws/organization/picture.ts'
import type { Resource } from '../catalog/resource.ts'

/** Accounts and units as resources of the catalog. E-mail addresses of accounts are left out. */
export function organizationResources({ id: organization, accounts, units }: OrganizationPicture): Resource[] {
  const shared = { organization, region: null, source: 'discovery' } as const
  return [
    ...units.map(({ id, arn, name, parent, tags }) => ({
      ...shared,
      id: `organizational-unit/${id}`,
      kind: 'organizational-unit',
      partition: partitionOf(arn),
      account: null,
      name: id,
      tags,
      attributes: { title: name, parent },
    })),
    ...accounts.map(({ id, arn, name, parent, state, tags }) => ({
      ...shared,
      id: `account/${id}`,
      kind: 'account',
      partition: partitionOf(arn),
      account: id,
      name: id,
      tags,
      attributes: { title: name, parent, state },
    })),
  ]
}

function partitionOf(arn: string): string {
  return arn.split(':')[1] || 'aws'
}
