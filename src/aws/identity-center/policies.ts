import type { PolicyPart } from '../../catalog/policy-part.ts'

/** Groups, permission sets and assignments are read in the hub's account alone, and nothing of them is changed. */
export const identityCenterPolicies: PolicyPart = {
  feature: 'identity-center',
  statements: [
    {
      document: 'hubPermissions',
      statement: {
        sid: 'ReadIdentityCenter',
        actions: {
          'sso:ListInstances': 'finds the instance of the organization and its identity store',
          'sso:ListPermissionSets': 'finds the permission sets',
          'sso:DescribePermissionSet': 'reads the name of each, and how long its sessions last',
          'sso:ListTagsForResource': 'reads the tags of permission sets',
          'sso:ListAccountsForProvisionedPermissionSet': 'finds the accounts that have a permission set',
          'sso:ListAccountAssignmentsForPrincipal':
            'finds what a group or a person is assigned, in the management account',
          'sso:ListAccountAssignments': 'finds the same in a delegated administrator, account by account',
        },
        resources: ['*'],
      },
    },
    {
      document: 'hubPermissions',
      statement: {
        sid: 'ReadIdentityStore',
        actions: {
          'identitystore:ListUsers': 'finds the people of Identity Center',
          'identitystore:ListGroups': 'finds the groups',
          'identitystore:ListGroupMemberships': 'reads the members of each group',
        },
        resources: ['*'],
      },
    },
  ],
}
