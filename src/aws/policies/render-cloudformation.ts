import { Document, isScalar, isSeq, visit } from 'yaml'
import {
  type Choice,
  everything,
  fill,
  narrow,
  needsOf,
  type PolicyEntry,
  policies,
  reasonsOf,
  ref,
  toDocument,
  type ValueName,
} from './table.ts'

/**
 * Four CloudFormation templates: the hub (once), the account (in each, alone or through the StackSet), the StackSet that brings
 * it to every account of some organizational units, and the role (for each brokered role).
 */
const parameters = {
  ComputeArn: { Type: 'String', Description: 'ARN of the identity that the daemon runs as' },
  HubRoleArn: { Type: 'String', Description: 'ARN of the hub role' },
  HubRoleName: { Type: 'String', Default: 'SallyportHub', Description: 'Name of the hub role' },
  ExternalId: { Type: 'String', Description: 'ExternalId of this installation; `sallyport aws policies` shows it' },
  OrganizationId: { Type: 'String', Description: 'Id of the organization, o-…' },
  ConnectRolePath: { Type: 'String', Default: '/sallyport/', Description: 'Path of the spoke role (aws.connect_role)' },
  ConnectRoleName: { Type: 'String', Default: 'SallyportConnect', Description: 'Its name' },
  RevocationPolicyPath: {
    Type: 'String',
    Default: '/sallyport/',
    Description: 'Path of the boundary policy (aws.revocation_policy)',
  },
  RevocationPolicyName: { Type: 'String', Default: 'SallyportRevocations', Description: 'Its name' },
  DatabaseUsers: { Type: 'String', Default: 'sallyport_*', Description: 'Names of database users, with wildcards' },
  OrganizationalUnits: { Type: 'CommaDelimitedList', Description: 'Units whose accounts get the roles' },
  RoleName: { Type: 'String', Description: 'Name of the brokered role' },
  PolicyArns: { Type: 'CommaDelimitedList', Description: 'What the role may do' },
  Trust: { Type: 'String', Default: 'hub', AllowedValues: ['hub', 'web_identity'], Description: 'Whom it trusts' },
  Revocable: {
    Type: 'String',
    Default: 'true',
    AllowedValues: ['true', 'false'],
    Description: 'Credentials already handed out are killed when the grant ends',
  },
  Issuer: {
    Type: 'String',
    Default: 'none',
    Description: 'Issuer of the OpenID provider without https://, for roles that trust web_identity',
  },
  Databases: {
    Type: 'String',
    Default: 'false',
    AllowedValues: ['true', 'false'],
    Description: 'Databases are signed in to through this role',
  },
  ClientId: { Type: 'String', Default: 'sallyport', Description: "The broker's client id there" },
} as const
type Parameter = keyof typeof parameters

/** Paths begin and end with a slash, which stands before the name in ARNs already. */
const values: Readonly<Record<ValueName, string>> = {
  partition: ref('AWS::Partition'),
  account: ref('AWS::AccountId'),
  compute: ref('ComputeArn'),
  hubRole: ref('HubRoleArn'),
  externalId: ref('ExternalId'),
  organization: ref('OrganizationId'),
  connectRole: ref('ConnectRolePath') + ref('ConnectRoleName'),
  revocationPolicy: ref('RevocationPolicyPath') + ref('RevocationPolicyName'),
  databaseUsers: ref('DatabaseUsers'),
  issuer: ref('Issuer'),
  clientId: ref('ClientId'),
}

/** Files by their path under deploy/cloudformation. */
export function renderCloudFormation(choice: Choice = everything): Readonly<Record<string, string>> {
  const accountTemplate = account(choice)
  return {
    ...(choice.trusts.includes('hub') ? { 'hub.yaml': hub() } : {}),
    'account.yaml': accountTemplate,
    'stackset.yaml': stackSet(accountTemplate, accountParameters(choice)),
    'role.yaml': role(choice),
  }
}

/** What only some choices need. */
function when<T extends object>(condition: boolean, part: T): T | object {
  return condition ? part : {}
}

function hub(): string {
  return template(
    'Sallyport: the hub role',
    ['ComputeArn', 'HubRoleName', 'ExternalId', 'OrganizationId', 'ConnectRolePath', 'ConnectRoleName'],
    {
      Hub: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: { Ref: 'HubRoleName' },
          AssumeRolePolicyDocument: substituted(policies.hubTrust),
          Policies: [{ PolicyName: 'sallyport', PolicyDocument: substituted(policies.hubPermissions) }],
        },
      },
    },
    [policies.hubTrust, policies.hubPermissions],
    { HubRoleArn: { Value: { 'Fn::GetAtt': ['Hub', 'Arn'] } } },
  )
}

function accountParameters(choice: Choice): Parameter[] {
  const { isHub, isPersonal, isRevocable, isForDatabases } = needsOf(choice)
  return [
    ...some(isHub, 'HubRoleArn', 'ExternalId', 'ConnectRolePath', 'ConnectRoleName'),
    ...some(isRevocable, 'RevocationPolicyPath', 'RevocationPolicyName'),
    ...some(isHub && isForDatabases, 'DatabaseUsers'),
    ...some(isPersonal, 'Issuer', 'ClientId'),
  ]
}

function some(isNeeded: boolean, ...names: readonly Parameter[]): readonly Parameter[] {
  return isNeeded ? names : []
}

function account(choice: Choice): string {
  const { isHub, isPersonal, isRevocable } = needsOf(choice)
  const spokeTrust = narrow(choice, policies.spokeTrust)
  const spokePermissions = narrow(choice, policies.spokePermissions)
  return template(
    'Sallyport: what one account needs',
    accountParameters(choice),
    {
      ...when(isHub, {
        Connect: {
          Type: 'AWS::IAM::Role',
          Properties: {
            RoleName: { Ref: 'ConnectRoleName' },
            Path: { Ref: 'ConnectRolePath' },
            AssumeRolePolicyDocument: substituted(spokeTrust),
            Policies: [{ PolicyName: 'sallyport', PolicyDocument: substituted(spokePermissions) }],
          },
        },
      }),
      ...when(isRevocable, {
        Revocations: {
          Type: 'AWS::IAM::ManagedPolicy',
          Properties: {
            ManagedPolicyName: { Ref: 'RevocationPolicyName' },
            Path: { Ref: 'RevocationPolicyPath' },
            PolicyDocument: substituted(policies.boundary),
          },
        },
      }),
      ...when(isPersonal, {
        Provider: {
          Type: 'AWS::IAM::OIDCProvider',
          Condition: 'HasIssuer',
          Properties: { Url: { 'Fn::Sub': `https://${ref('Issuer')}` }, ClientIdList: [{ Ref: 'ClientId' }] },
        },
      }),
    },
    [spokeTrust, spokePermissions, policies.boundary],
    undefined,
    isPersonal ? { HasIssuer: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'Issuer' }, 'none'] }] } } : undefined,
  )
}

function stackSet(accountTemplate: string, names: readonly Parameter[]): string {
  return template(
    'Sallyport: what every account of some organizational units needs',
    ['OrganizationalUnits', ...names],
    {
      Accounts: {
        Type: 'AWS::CloudFormation::StackSet',
        Properties: {
          StackSetName: 'sallyport-accounts',
          PermissionModel: 'SERVICE_MANAGED',
          AutoDeployment: { Enabled: true, RetainStacksOnAccountRemoval: false },
          Capabilities: ['CAPABILITY_NAMED_IAM'],
          Parameters: names.map((name) => ({ ParameterKey: name, ParameterValue: { Ref: name } })),
          StackInstancesGroup: [
            {
              DeploymentTargets: { OrganizationalUnitIds: { Ref: 'OrganizationalUnits' } },
              Regions: [{ Ref: 'AWS::Region' }],
            },
          ],
          TemplateBody: accountTemplate,
        },
      },
    },
  )
}

function role(choice: Choice): string {
  const { isRevocable, isForDatabases } = needsOf(choice)
  const boundary = substitute('arn:{{partition}}:iam::{{account}}:policy/{{revocationPolicy}}')
  return template(
    'Sallyport: one brokered role',
    [
      'RoleName',
      'PolicyArns',
      'Trust',
      'ConnectRolePath',
      'ConnectRoleName',
      ...some(isRevocable, 'Revocable', 'RevocationPolicyPath', 'RevocationPolicyName'),
      'Issuer',
      'ClientId',
      ...some(isForDatabases, 'Databases', 'DatabaseUsers'),
    ],
    {
      Brokered: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: { Ref: 'RoleName' },
          MaxSessionDuration: { 'Fn::If': ['IsHub', 3600, 43_200] },
          AssumeRolePolicyDocument: {
            // The key of a condition can't be substituted, text can.
            'Fn::If': ['IsHub', asText(policies.roleTrust), asText(policies.roleWebIdentityTrust)],
          },
          ...when(isRevocable, {
            PermissionsBoundary: { 'Fn::If': ['IsRevocable', boundary, { Ref: 'AWS::NoValue' }] },
          }),
          ManagedPolicyArns: { Ref: 'PolicyArns' },
          Tags: [{ Key: 'sallyport:managed', Value: 'true' }],
        },
      },
      ...when(isForDatabases, {
        SignIn: {
          Type: 'AWS::IAM::RolePolicy',
          Condition: 'IsForDatabases',
          Properties: {
            RoleName: { Ref: 'Brokered' },
            PolicyName: 'sallyport-databases',
            PolicyDocument: substituted(policies.roleDatabases),
          },
        },
      }),
    },
    [policies.roleTrust, policies.roleWebIdentityTrust, policies.roleDatabases],
    { RoleArn: { Value: { 'Fn::GetAtt': ['Brokered', 'Arn'] } } },
    {
      IsHub: { 'Fn::Equals': [{ Ref: 'Trust' }, 'hub'] },
      ...when(isRevocable, { IsRevocable: { 'Fn::And': [{ Condition: 'IsHub' }, isTrue('Revocable')] } }),
      ...when(isForDatabases, { IsForDatabases: isTrue('Databases') }),
    },
    { Trust: { Default: choice.trusts[0] } },
  )
}

const isTrue = (name: Parameter) => ({ 'Fn::Equals': [{ Ref: name }, 'true'] })

function template(
  description: string,
  names: readonly Parameter[],
  resources: object,
  entries: readonly PolicyEntry[] = [],
  outputs?: object,
  conditions?: object,
  defaults: Partial<Record<Parameter, object>> = {},
): string {
  const content = {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: description,
    Parameters: Object.fromEntries(names.map((name) => [name, { ...parameters[name], ...defaults[name] }])),
    ...(conditions ? { Conditions: conditions } : {}),
    Resources: resources,
    ...(outputs ? { Outputs: outputs } : {}),
  }
  const document = new Document(content, { aliasDuplicateObjects: false })
  document.commentBefore = ' Written by `npm run docs` from src/aws/policies/table.ts; change it there.'
  explain(document, Object.assign({}, ...entries.map(reasonsOf)) as Record<string, string>)
  return document.toString({ lineWidth: 120 })
}

/** Puts each action's reason beside it, and quotes around what YAML 1.1, which CloudFormation reads, takes for a date. */
function explain(document: Document, reasons: Readonly<Record<string, string>>): void {
  visit(document, {
    Pair: (_, pair) => {
      if (!isScalar(pair.key) || pair.key.value !== 'Action') return
      const actions = isSeq(pair.value) ? pair.value.items : [pair.value]
      for (const action of actions)
        if (isScalar(action) && typeof action.value === 'string') action.comment = ` ${reasons[action.value]}`
    },
    Scalar: (_, scalar) => {
      if (/^\d{4}-\d\d-\d\d$/.test(String(scalar.value))) scalar.type = 'QUOTE_DOUBLE'
    },
  })
}

/** Text with values, as CloudFormation substitutes them. */
function substitute(text: string): string | { 'Fn::Sub': string } {
  const filled = fillText(text)
  return filled === text ? text : { 'Fn::Sub': filled }
}

function fillText(text: string): string {
  const filled = fill(
    text,
    (name) => values[name],
    (piece) => piece.replaceAll('${', '${!'),
  )
  // A path brings the slash after `role` and `policy`.
  return filled.replaceAll(/(?<=role|policy)\/(?=\$\{(ConnectRolePath|RevocationPolicyPath)\})/g, '')
}

function substituted(entry: PolicyEntry): unknown {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return substitute(value)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(toDocument(entry))
}

function asText(entry: PolicyEntry): { 'Fn::Sub': string } {
  return { 'Fn::Sub': `${fillText(JSON.stringify(toDocument(entry), null, 2))}\n` }
}
