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
          'sso:ListManagedPoliciesInPermissionSet': 'finds permission sets that make their holders administrators',
          'sso:ListCustomerManagedPolicyReferencesInPermissionSet': 'names the policies of the owner’s in each set',
          'sso:GetInlinePolicyForPermissionSet': 'reads what else a permission set allows',
          'sso:GetPermissionsBoundaryForPermissionSet': 'reads what bounds the roles of a permission set',
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
          'identitystore:GetUserId': 'finds the user of a person, for groups that rules name',
          'identitystore:DescribeUser': 'says what the user is called, and whether it is disabled',
          'identitystore:ListGroups': 'finds the groups',
          'identitystore:DescribeGroup': 'reads a group again that has changed',
          'identitystore:ListGroupMemberships': 'reads the members of each group',
        },
        resources: ['*'],
      },
    },
  ],
}

/** Where Identity Center is encrypted under a key of its owner, who calls it must be allowed to use the key through it. */
export const identityCenterKeyPolicies: PolicyPart = {
  feature: 'identity-center-key',
  statements: [keyStatement('DecryptIdentityCenter', 'sso'), keyStatement('DecryptIdentityStore', 'identitystore')],
}

function keyStatement(sid: string, service: string) {
  return {
    document: 'hubPermissions',
    statement: {
      sid,
      actions: {
        'kms:Decrypt': 'only of what is encrypted under a key of its owner, and only through the service that keeps it',
      },
      resources: ['arn:{{partition}}:kms:*:*:key/*'],
      conditions: {
        StringLike: { 'kms:ViaService': `${service}.*.amazonaws.com*` },
        StringEquals: { 'aws:ResourceOrgID': '{{organization}}' },
      },
    },
  } as const
}
