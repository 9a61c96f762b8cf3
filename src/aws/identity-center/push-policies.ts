import type { PolicyPart } from '../../catalog/policy-part.ts'

/**
 * What the broker may change in Identity Center: the assignments of permission sets and the members of groups that rules give access to, and
 * of no other. The documents are of their own, since they change with the rules. Who has them can make anyone a holder of these sets and
 * groups, so they name no wildcard but for people, and for memberships, whose ids nobody knows before they are made.
 */
export const permissionSetPushPolicies: PolicyPart = {
  feature: 'push-permission-sets',
  values: {
    identityCenters: { description: 'ids of instances of Identity Center', default: 'ssoins-INSTANCE_ID' },
    pushedPermissionSets: {
      description: 'instance and id of permission sets that rules give access to',
      default: 'ssoins-INSTANCE_ID/ps-PERMISSION_SET_ID',
    },
    pushedAccounts: {
      description: 'accounts in which rules give access to permission sets',
      default: 'ACCOUNT_OF_PERMISSION_SETS',
    },
  },
  documents: [
    {
      name: 'hubAssignments',
      title: 'what the hub role may assign: a managed policy, made anew when the rules change',
      where: 'hub account',
      trust: ['hub'],
      isByRules: true,
      statements: [
        assigning('AssignPermissionSets', 'permissionSet/{{pushedPermissionSets}}'),
        assigning('AssignInAccounts', 'account/{{pushedAccounts}}'),
        assigning('AssignInInstance', 'instance/{{identityCenters}}'),
        {
          sid: 'FollowAssignments',
          actions: {
            'sso:DescribeAccountAssignmentCreationStatus': 'an assignment counts as made when AWS says so',
            'sso:DescribeAccountAssignmentDeletionStatus': 'and as removed likewise',
            'sso:ListAccountAssignmentCreationStatus': 'finds changes whose answer was lost',
            'sso:ListAccountAssignmentDeletionStatus': 'finds removals whose answer was lost',
          },
          resources: ['arn:{{partition}}:sso:::instance/{{identityCenters}}'],
        },
        findingPeople('FindPeopleToAssign'),
      ],
    },
  ],
}

export const groupPushPolicies: PolicyPart = {
  feature: 'push-groups',
  values: {
    identityStores: { description: 'ids of identity stores', default: 'd-IDENTITY_STORE_ID' },
    pushedGroups: { description: 'ids of groups that rules give access to', default: 'GROUP_ID' },
  },
  documents: [
    {
      name: 'hubMemberships',
      title: 'whose members the hub role may change: a managed policy, made anew when the rules change',
      where: 'hub account',
      trust: ['hub'],
      isByRules: true,
      statements: [
        changingMembers('ChangeMembersOfGroups', ':group/{{pushedGroups}}'),
        changingMembers('ChangeMembersInStore', '*:identitystore/{{identityStores}}'),
        changingMembers('ChangeMembersAsPeople', ':user/*'),
        {
          sid: 'RemoveMemberships',
          actions: { 'identitystore:DeleteGroupMembership': 'ids of memberships are given when they are made' },
          resources: ['arn:{{partition}}:identitystore:::membership/*'],
        },
        {
          ...findingPeople('FindPeopleForGroups'),
          actions: {
            ...findingPeople('').actions,
            'identitystore:GetGroupMembershipId': 'says whether a person is a member, and of which membership',
          },
        },
      ],
    },
  ],
}

/**
 * For permission sets that rules give access to in the management account itself: there Identity Center makes the roles with the rights of
 * its caller (user guide, "Delegated administration"; what it calls besides is as public reports have it).
 */
export const managementPushPolicies: PolicyPart = {
  feature: 'push-management',
  values: {
    pushedPermissionSetNames: {
      description: 'names of permission sets that rules give access to in the management account',
      default: 'PERMISSION_SET_NAME',
    },
  },
  documents: [
    {
      name: 'hubManagementAssignments',
      title: 'what Identity Center does in the management account with the rights of the hub role',
      where: 'hub account',
      trust: ['hub'],
      isByRules: true,
      statements: [
        {
          sid: 'UseIdentityCentersProvider',
          actions: {
            'iam:GetSAMLProvider': 'Identity Center looks for its provider with each assignment',
            'iam:UpdateSAMLProvider': 'and renews it when it renews its certificate',
          },
          resources: ['arn:{{partition}}:iam::{{account}}:saml-provider/AWSSSO_*_DO_NOT_DELETE'],
        },
        {
          sid: 'KeepRolesOfPermissionSets',
          actions: {
            'iam:GetRole': 'Identity Center looks for the role of the permission set',
            'iam:CreateRole': 'makes it with the first assignment',
            'iam:AttachRolePolicy': 'gives it the managed policies of the set',
            'iam:PutRolePolicy': 'gives it the inline policy of the set',
            'iam:PutRolePermissionsBoundary': 'gives it the boundary of the set',
            'iam:UpdateRole': 'gives it the session duration of the set',
            'iam:UpdateRoleDescription': 'gives it the description of the set',
            'iam:ListAttachedRolePolicies': 'finds what to detach with the last assignment',
            'iam:ListRolePolicies': 'finds what to delete with it',
            'iam:DetachRolePolicy': 'detaches its managed policies',
            'iam:DeleteRolePolicy': 'deletes its inline policy',
            'iam:DeleteRole': 'deletes it with the last assignment',
          },
          resources: [
            'arn:{{partition}}:iam::{{account}}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{{pushedPermissionSetNames}}_*',
          ],
        },
      ],
    },
  ],
}

/** One statement for each type of resource: an action on several is allowed where each of them is. */
function assigning(sid: string, resource: string) {
  return {
    sid,
    actions: {
      'sso:CreateAccountAssignment': 'gives a person a permission set in an account for the time of a grant',
      'sso:DeleteAccountAssignment': 'takes back what the broker gave',
    },
    resources: [`arn:{{partition}}:sso:::${resource}`],
  }
}

function changingMembers(sid: string, resource: string) {
  return {
    sid,
    actions: {
      'identitystore:CreateGroupMembership': 'puts a person into a group for the time of a grant',
      'identitystore:DeleteGroupMembership': 'takes out whom the broker put in',
    },
    resources: [`arn:{{partition}}:identitystore::${resource}`],
  }
}

function findingPeople(sid: string) {
  return {
    sid,
    actions: {
      'identitystore:GetUserId': 'finds the person of Identity Center for a person of the broker',
      'identitystore:DescribeUser': 'says who that is, and whether the person is disabled',
    },
    resources: ['*'],
  }
}
