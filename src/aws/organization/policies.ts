import type { PolicyPart } from '../../catalog/policy-part.ts'

/** Accounts and units are read in the hub's account alone, which is the management account or a delegated administrator. */
export const organizationPolicies: PolicyPart = {
  feature: 'organization',
  statements: [
    {
      document: 'hubPermissions',
      statement: {
        sid: 'ReadOrganization',
        actions: {
          'organizations:DescribeOrganization': 'says which organization it is, and which its management account',
          'organizations:ListRoots': 'the tree begins there',
          'organizations:ListOrganizationalUnitsForParent': 'finds the units, level by level',
          'organizations:ListAccounts': 'finds the accounts and their state',
          'organizations:ListAccountsForParent': 'finds the unit of each account',
          'organizations:ListParents': 'finds an account again that moved while the tree was read',
          'organizations:DescribeOrganizationalUnit': 'reads a unit that was made while the tree was read',
          'organizations:DescribeAccount': 'reads an account again that has changed',
          'organizations:ListTagsForResource': 'reads the tags of accounts and units',
        },
        resources: ['*'],
      },
    },
  ],
}
