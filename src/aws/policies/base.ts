import type { BaseDocument, PolicyDocument } from '../../catalog/policy-part.ts'

const spokeArn = 'arn:{{partition}}:iam::{{account}}:role/{{connectRole}}'

/** Actions that put the person into sessions, with the reasons. */
export const decorate = {
  'sts:TagSession': 'sessions carry the person, the grant, the session and the request',
  'sts:SetSourceIdentity': 'CloudTrail names the person in every event',
}

/** What every installation needs, whatever its kinds. */
export const baseDocuments = {
  hubTrust: {
    title: 'trust policy of the hub role',
    where: 'hub account',
    trust: ['hub'],
    statements: [
      {
        sid: 'ComputeMayAssume',
        principal: { AWS: '{{compute}}' },
        actions: { 'sts:AssumeRole': 'the daemon becomes the hub' },
        conditions: { StringEquals: { 'sts:ExternalId': '{{externalId}}' } },
      },
    ],
  },
  hubPermissions: {
    title: 'permissions of the hub role',
    where: 'hub account',
    trust: ['hub'],
    statements: [
      {
        sid: 'CallSpokes',
        actions: { 'sts:AssumeRole': 'the hub becomes the spoke of an account', ...decorate },
        resources: ['arn:{{partition}}:iam::*:role/{{connectRole}}'],
        conditions: { StringEquals: { 'aws:ResourceOrgID': '{{organization}}' } },
      },
      {
        sid: 'CheckOwnPermissions',
        actions: { 'iam:SimulatePrincipalPolicy': 'aws validate says what the hub role is not allowed, and why' },
        resources: ['arn:{{partition}}:iam::*:role/{{hubName}}'],
      },
    ],
  },
  spokeTrust: {
    title: 'trust policy of the spoke role',
    where: 'each account',
    trust: ['hub'],
    statements: [
      {
        sid: 'HubMayAssume',
        principal: { AWS: '{{hubRole}}' },
        actions: { 'sts:AssumeRole': 'the hub, with this installation’s ExternalId and no other' },
        conditions: { StringEquals: { 'sts:ExternalId': '{{externalId}}' } },
      },
    ],
  },
  spokePermissions: {
    title: 'permissions of the spoke role',
    where: 'each account',
    trust: ['hub'],
    statements: [
      {
        sid: 'MintSessionsForManagedRoles',
        actions: { 'sts:AssumeRole': 'only roles of this account that are tagged for it' },
        resources: ['arn:{{partition}}:iam::{{account}}:role/*'],
        conditions: { StringEquals: { 'aws:ResourceTag/sallyport:managed': 'true' } },
      },
      {
        sid: 'DecorateSessions',
        actions: decorate,
        resources: ['arn:{{partition}}:iam::{{account}}:role/*'],
      },
      {
        sid: 'ReadManagedRoles',
        actions: {
          'iam:GetRole': 'aws validate says who else may assume a brokered role, and how long its sessions may last',
        },
        resources: ['arn:{{partition}}:iam::{{account}}:role/*'],
        conditions: { StringEquals: { 'aws:ResourceTag/sallyport:managed': 'true' } },
      },
      {
        sid: 'CheckOwnPermissions',
        actions: { 'iam:SimulatePrincipalPolicy': 'aws validate says what the spoke role is not allowed, and why' },
        resources: ['arn:{{partition}}:iam::{{account}}:role/{{connectRole}}'],
      },
    ],
  },
  roleTrust: {
    title: 'trust policy of a brokered role; the role is tagged sallyport:managed=true',
    where: 'each brokered role',
    trust: ['hub'],
    statements: [
      {
        sid: 'SallyportMayAssume',
        principal: { AWS: spokeArn },
        actions: { 'sts:AssumeRole': 'only for a person and a grant' },
        conditions: { StringLike: { 'sts:SourceIdentity': '?*', 'aws:RequestTag/sallyport:grant': 'grt_*' } },
      },
      { sid: 'SallyportMayTag', principal: { AWS: spokeArn }, actions: decorate },
    ],
  },
  roleWebIdentityTrust: {
    title: 'trust policy of a brokered role that accepts only the person’s own ID token',
    where: 'each brokered role',
    trust: ['web_identity'],
    statements: [
      {
        sid: 'OwnTokenOnly',
        principal: { Federated: 'arn:{{partition}}:iam::{{account}}:oidc-provider/{{issuer}}' },
        actions: {
          'sts:AssumeRoleWithWebIdentity': 'with an ID token that was issued for the broker',
          ...decorate,
        },
        conditions: {
          StringEquals: { '{{issuer}}:aud': '{{clientId}}' },
          StringLike: { '{{issuer}}:sub': '{{subject}}' },
        },
      },
    ],
  },
} as const satisfies Readonly<Record<BaseDocument, Omit<PolicyDocument, 'name'>>>
