import { Document, isScalar, isSeq, visit } from 'yaml'
import type { Kinds } from '../../catalog/kind.ts'
import { renderEventTemplates } from '../events/render-cloudformation.ts'
import { parameters } from './cloudformation-parameters.ts'
import { fill, reasonsOf, ref, toDocument } from './document.ts'
import {
  type BaseValues,
  type Choice,
  chooseSessionDocuments,
  everything,
  narrow,
  needsOf,
  type PolicyEntry,
  type PolicyTable,
  policiesOf,
} from './table.ts'

/**
 * Four CloudFormation templates: the hub (once), the account (in each, alone or through the StackSet), the StackSet that brings
 * it to every account of some organizational units, and the role (for each brokered role).
 */
const heading = ' Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.'
type BaseParameter = keyof typeof parameters

/** Paths begin and end with a slash, which stands before the name in ARNs already. */
const baseValues: BaseValues = {
  partition: ref('AWS::Partition'),
  account: ref('AWS::AccountId'),
  compute: ref('ComputeArn'),
  hubRole: ref('HubRoleArn'),
  hubName: ref('HubRoleName'),
  externalId: ref('ExternalId'),
  organization: ref('OrganizationId'),
  connectRole: ref('ConnectRolePath') + ref('ConnectRoleName'),
  revocationPolicy: ref('RevocationPolicyPath') + ref('RevocationPolicyName'),
  issuer: ref('Issuer'),
  clientId: ref('ClientId'),
  subject: ref('Subject'),
}

/** Files by their path under deploy/cloudformation. */
export function renderCloudFormation(kinds: Kinds, choice?: Choice): Readonly<Record<string, string>> {
  const table = policiesOf(kinds, choice?.idToken)
  const parts = partsFor(table, choice ?? everything(table))
  const accountTemplate = account(parts)
  return {
    ...when(parts.choice.trusts.includes('hub'), { 'hub.yaml': hub(parts), ...events(parts.choice) }),
    'account.yaml': accountTemplate,
    'stackset.yaml': stackSet(parts, accountTemplate),
    'role.yaml': role(parts),
    ...sessionDocuments(parts),
  }
}

interface Parts {
  readonly table: PolicyTable
  readonly choice: Choice
  readonly needs: ReturnType<typeof needsOf>
  readonly parameters: Readonly<Record<string, object>>
  /** What stands for each value of the policies. */
  readonly values: Readonly<Record<string, string>>
}

/** With the parameters that the values and the optional policies of kinds ask for. */
function partsFor(table: PolicyTable, choice: Choice): Parts {
  const needs = needsOf(table, choice)
  const names = Object.keys(table.values)
  const requested = Object.entries(table.values).map(([name, value]) => [
    pascal(name),
    { Type: 'String', Default: value.default, Description: upperFirst(value.description) },
  ])
  const flags = needs.additions.map(({ feature, when: about }) => [
    pascal(feature),
    { Type: 'String', Default: 'false', AllowedValues: ['true', 'false'], Description: upperFirst(about) },
  ])
  return {
    table,
    choice,
    needs,
    parameters: { ...parameters, ...Object.fromEntries([...requested, ...flags]) },
    values: { ...baseValues, ...Object.fromEntries(names.map((name) => [name, ref(pascal(name))])) },
  }
}

/** `databaseUsers` → `DatabaseUsers`, `identity-center` → `IdentityCenter` */
function pascal(name: string): string {
  return name.split('-').map(upperFirst).join('')
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** What only some choices need. */
function when<T extends object>(condition: boolean, part: T): T | object {
  return condition ? part : {}
}

function events({ features }: Choice): Readonly<Record<string, string>> {
  return features.includes('events') ? renderEventTemplates(heading) : {}
}

function hub(parts: Parts): string {
  const { hubTrust } = parts.table.base
  const hubPermissions = narrow(parts.choice, parts.table.base.hubPermissions)
  const values = parts.needs.hubValues.map(pascal)
  return template(parts, {
    description: 'Sallyport: the hub role',
    names: [
      'ComputeArn',
      'HubRoleName',
      'ExternalId',
      'OrganizationId',
      'ConnectRolePath',
      'ConnectRoleName',
      ...values,
    ],
    resources: {
      Hub: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: { Ref: 'HubRoleName' },
          AssumeRolePolicyDocument: substituted(hubTrust, parts.values),
          Policies: [{ PolicyName: 'sallyport', PolicyDocument: substituted(hubPermissions, parts.values) }],
        },
      },
    },
    entries: [hubTrust, hubPermissions],
    outputs: { HubRoleArn: { Value: { 'Fn::GetAtt': ['Hub', 'Arn'] } } },
  })
}

function accountParameters({ isHub, isPersonal, boundary, accountValues }: Parts['needs']): string[] {
  return [
    ...some(isHub, 'HubRoleArn', 'ExternalId', 'ConnectRolePath', 'ConnectRoleName'),
    ...some(boundary !== undefined, 'RevocationPolicyPath', 'RevocationPolicyName'),
    ...accountValues.map(pascal),
    ...some(isPersonal, 'Issuer', 'ClientId'),
  ]
}

function some(isNeeded: boolean, ...names: readonly BaseParameter[]): readonly string[] {
  return isNeeded ? names : []
}

function account(parts: Parts): string {
  const { values } = parts
  const { isHub, isPersonal, boundary, spokeTrust, spokePermissions } = parts.needs
  return template(parts, {
    description: 'Sallyport: what one account needs',
    names: accountParameters(parts.needs),
    resources: {
      ...when(isHub, {
        Connect: {
          Type: 'AWS::IAM::Role',
          Properties: {
            RoleName: { Ref: 'ConnectRoleName' },
            Path: { Ref: 'ConnectRolePath' },
            AssumeRolePolicyDocument: substituted(spokeTrust, values),
            Policies: [{ PolicyName: 'sallyport', PolicyDocument: substituted(spokePermissions, values) }],
          },
        },
      }),
      ...(boundary ? { Revocations: revocations(boundary, values) } : {}),
      ...when(isPersonal, {
        Provider: {
          Type: 'AWS::IAM::OIDCProvider',
          Condition: 'HasIssuer',
          Properties: { Url: { 'Fn::Sub': `https://${ref('Issuer')}` }, ClientIdList: [{ Ref: 'ClientId' }] },
        },
      }),
    },
    entries: [spokeTrust, spokePermissions, ...(boundary ? [boundary] : [])],
    ...when(isPersonal, {
      conditions: { HasIssuer: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'Issuer' }, 'none'] }] } },
    }),
  })
}

/** For each account and region. */
function sessionDocuments(parts: Parts): Record<string, string> {
  const documents = chooseSessionDocuments(parts.table, parts.choice)
  if (documents.length === 0) return {}
  const resources = documents.map(({ name, content }) => [
    pascal(name),
    {
      Type: 'AWS::SSM::Document',
      Properties: { Name: name, DocumentType: 'Session', UpdateMethod: 'NewVersion', Content: content },
    },
  ])
  const description = 'Sallyport: session documents, in each account and region with instances that sessions go through'
  const text = template(parts, { description, names: [], resources: Object.fromEntries(resources) })
  return { 'session-documents.yaml': text }
}

function revocations(boundary: PolicyEntry, values: Parts['values']): object {
  return {
    Type: 'AWS::IAM::ManagedPolicy',
    Properties: {
      ManagedPolicyName: { Ref: 'RevocationPolicyName' },
      Path: { Ref: 'RevocationPolicyPath' },
      PolicyDocument: substituted(boundary, values),
    },
  }
}

function stackSet(parts: Parts, accountTemplate: string): string {
  const names = accountParameters(parts.needs)
  return template(parts, {
    description: 'Sallyport: what every account of some organizational units needs',
    names: ['OrganizationalUnits', 'CallAs', ...names],
    resources: {
      Accounts: {
        Type: 'AWS::CloudFormation::StackSet',
        Properties: {
          StackSetName: 'sallyport-accounts',
          PermissionModel: 'SERVICE_MANAGED',
          CallAs: { Ref: 'CallAs' },
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
  })
}

function role(parts: Parts): string {
  const { values, needs, table, choice } = parts
  const { roleTrust, roleWebIdentityTrust } = table.base
  const { additions } = needs
  const isRevocable = needs.boundary !== undefined
  const boundary = substitute('arn:{{partition}}:iam::{{account}}:policy/{{revocationPolicy}}', values)
  return template(parts, {
    description: 'Sallyport: one brokered role',
    names: [
      'RoleName',
      'PolicyArns',
      'Trust',
      'ConnectRolePath',
      'ConnectRoleName',
      ...some(isRevocable, 'Revocable', 'RevocationPolicyPath', 'RevocationPolicyName'),
      'Issuer',
      'ClientId',
      'Subject',
      'MaxSession',
      ...additions.flatMap(({ feature, values: requested }) => [feature, ...requested].map(pascal)),
    ],
    resources: {
      Brokered: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: { Ref: 'RoleName' },
          MaxSessionDuration: { 'Fn::If': ['IsHub', 3600, { Ref: 'MaxSession' }] },
          AssumeRolePolicyDocument: {
            // The key of a condition can't be substituted, text can.
            'Fn::If': ['IsHub', asText(roleTrust, values), asText(roleWebIdentityTrust, values)],
          },
          ...when(isRevocable, {
            PermissionsBoundary: { 'Fn::If': ['IsRevocable', boundary, { Ref: 'AWS::NoValue' }] },
          }),
          ManagedPolicyArns: { Ref: 'PolicyArns' },
          Tags: [{ Key: 'sallyport:managed', Value: 'true' }],
        },
      },
      ...Object.fromEntries(additions.map((addition) => [addition.resource, inRole(addition, values)])),
    },
    entries: [roleTrust, roleWebIdentityTrust, ...additions.map(({ entry }) => entry)],
    outputs: { RoleArn: { Value: { 'Fn::GetAtt': ['Brokered', 'Arn'] } } },
    conditions: {
      IsHub: { 'Fn::Equals': [{ Ref: 'Trust' }, 'hub'] },
      ...when(isRevocable, { IsRevocable: { 'Fn::And': [{ Condition: 'IsHub' }, isTrue('Revocable')] } }),
      ...Object.fromEntries(additions.map(({ feature }) => [`IsFor${pascal(feature)}`, isTrue(pascal(feature))])),
    },
    defaults: { Trust: { Default: choice.trusts[0] }, Subject: { Default: choice.idToken?.sub ?? '?*' } },
  })
}

function inRole({ entry, feature }: Parts['needs']['additions'][number], values: Parts['values']): object {
  return {
    Type: 'AWS::IAM::RolePolicy',
    Condition: `IsFor${pascal(feature)}`,
    Properties: {
      RoleName: { Ref: 'Brokered' },
      PolicyName: `sallyport-${feature}`,
      PolicyDocument: substituted(entry, values),
    },
  }
}

const isTrue = (name: string) => ({ 'Fn::Equals': [{ Ref: name }, 'true'] })

interface Template {
  readonly description: string
  /** Of the parameters. */
  readonly names: readonly string[]
  readonly resources: object
  /** Policies in it, whose reasons are written beside the actions. */
  readonly entries?: readonly PolicyEntry[]
  readonly outputs?: object
  readonly conditions?: object
  /** What is different of a parameter here. */
  readonly defaults?: Readonly<Record<string, object>>
}

function template({ parameters: known }: Parts, parts: Template): string {
  const { description, names, resources, entries = [], outputs, conditions, defaults = {} } = parts
  const content = {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: description,
    ...(names.length === 0
      ? {}
      : { Parameters: Object.fromEntries(names.map((name) => [name, { ...known[name], ...defaults[name] }])) }),
    ...(conditions ? { Conditions: conditions } : {}),
    Resources: resources,
    ...(outputs ? { Outputs: outputs } : {}),
  }
  const document = new Document(content, { aliasDuplicateObjects: false })
  document.commentBefore = heading
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
function substitute(text: string, values: Parts['values']): string | { 'Fn::Sub': string } {
  const filled = fillText(text, values)
  return filled === text ? text : { 'Fn::Sub': filled }
}

function fillText(text: string, values: Parts['values']): string {
  const filled = fill(text, values, (piece) => piece.replaceAll('${', '${!'))
  // A path brings the slash after `role` and `policy`.
  return filled.replaceAll(/(?<=role|policy)\/(?=\$\{(ConnectRolePath|RevocationPolicyPath)\})/g, '')
}

function substituted(entry: PolicyEntry, values: Parts['values']): unknown {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return substitute(value, values)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(toDocument(entry))
}

function asText(entry: PolicyEntry, values: Parts['values']): { 'Fn::Sub': string } {
  return { 'Fn::Sub': `${fillText(JSON.stringify(toDocument(entry), null, 2), values)}\n` }
}
