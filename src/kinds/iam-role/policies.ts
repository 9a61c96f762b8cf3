import type { PolicyPart } from '../../catalog/policy-part.ts'

/** Credentials that were handed out are killed through the permissions boundary of their role. */
const revocation: PolicyPart = {
  feature: 'revocation',
  statements: [
    {
      document: 'spokePermissions',
      statement: {
        sid: 'RevocationBoundaryOnly',
        actions: {
          'iam:GetPolicy': 'finds the version in force',
          'iam:GetPolicyVersion': 'reads the deny list, and keeps what else is in it',
          'iam:ListPolicyVersions': 'finds the oldest version: IAM keeps five',
          'iam:CreatePolicyVersion': 'adds a revoked grant to the deny list',
          'iam:DeletePolicyVersion': 'makes room for the next',
        },
        resources: ['arn:{{partition}}:iam::{{account}}:policy/{{revocationPolicy}}'],
      },
    },
  ],
  documents: [
    {
      name: 'boundary',
      title:
        'first version of the policy that is the permissions boundary of revocable roles; the broker adds and removes denials',
      where: 'each account',
      trust: ['hub'],
      statements: [
        {
          sid: 'Ceiling',
          actions: { '*': 'a boundary grants nothing by itself; put a tighter ceiling here if you have one' },
          resources: ['*'],
        },
      ],
    },
  ],
}

export const rolePolicies = [revocation]
