import type { Kinds } from '../../catalog/kind.ts'
import type { PolicyValue } from '../../catalog/policy-part.ts'
import { renderEventModules } from '../events/render-terraform.ts'
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
 * Three Terraform modules: the hub (once), the account (in each), the role (for each brokered role). Written the way
 * `terraform fmt` writes.
 */
const heading = '# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.\n'

const variables = {
  compute_arn: ['ARN of the identity that the daemon runs as', undefined],
  hub_role_arn: ['ARN of the hub role', undefined],
  hub_role_name: ['name of the hub role', 'SallyportHub'],
  external_id: ['ExternalId of this installation: `sallyport aws policies` shows it', undefined],
  organization_id: ['id of the organization, o-…', undefined],
  connect_role_path: ['path of the spoke role: aws.connect_role', '/sallyport/'],
  connect_role_name: ['name of the spoke role: aws.connect_role', 'SallyportConnect'],
  revocation_policy_path: ['path of the boundary policy: aws.revocation_policy', '/sallyport/'],
  revocation_policy_name: ['name of the boundary policy: aws.revocation_policy', 'SallyportRevocations'],
  role_name: ['name of the brokered role', undefined],
  issuer: ['issuer of the OpenID provider without https://', ''],
  client_id: ["the broker's client id there", 'sallyport'],
} as const satisfies Record<string, readonly [string, string | undefined]>
type Variable = keyof typeof variables

const baseValues: BaseValues = {
  partition: ref('data.aws_partition.current.partition'),
  account: ref('data.aws_caller_identity.current.account_id'),
  compute: ref('var.compute_arn'),
  hubRole: ref('var.hub_role_arn'),
  hubName: ref('var.hub_role_name'),
  externalId: ref('var.external_id'),
  organization: ref('var.organization_id'),
  connectRole: ref('local.connect_role'),
  revocationPolicy: ref('local.revocation_policy'),
  issuer: ref('var.issuer'),
  clientId: ref('var.client_id'),
  subject: ref('var.subject'),
}

/** Files by their path under deploy/terraform. */
export function renderTerraform(kinds: Kinds, choice?: Choice): Readonly<Record<string, string>> {
  const table = policiesOf(kinds, choice?.idToken)
  const chosen = choice ?? everything(table)
  const values = Object.keys(table.values).map((name) => [name, ref(`var.${snake(name)}`)])
  const parts = { table, choice: chosen, values: { ...baseValues, ...Object.fromEntries(values) } }
  return {
    ...(chosen.trusts.includes('hub') ? { 'hub/main.tf': hub(parts), ...events(chosen) } : {}),
    'account/main.tf': account(parts),
    'role/main.tf': role(parts),
    ...sessionDocuments(parts),
  }
}

interface Parts {
  readonly table: PolicyTable
  readonly choice: Choice
  /** What stands for each value of the policies. */
  readonly values: Readonly<Record<string, string>>
}

/** `databaseUsers` → `database_users`, `identity-center` → `identity_center` */
function snake(name: string): string {
  return name.replaceAll(/-|(?=[A-Z])/g, '_').toLowerCase()
}

/** What only some choices need. */
function when<T>(condition: boolean, blocks: readonly T[]): readonly T[] {
  return condition ? blocks : []
}

function events({ features }: Choice): Readonly<Record<string, string>> {
  return features.includes('events') ? renderEventModules(heading) : {}
}

function hub({ table, choice, values }: Parts): string {
  const { hubTrust } = table.base
  const hubPermissions = narrow(choice, table.base.hubPermissions)
  return file([
    ...variableBlocks([
      'compute_arn',
      'hub_role_name',
      'external_id',
      'organization_id',
      'connect_role_path',
      'connect_role_name',
    ]),
    ...needsOf(table, choice).hubValues.map((name) => kindVariable(name, table.values[name])),
    data('aws_partition'),
    locals(['connect_role']),
    comment(hubTrust),
    `resource "aws_iam_role" "hub" {
  name = var.hub_role_name

  assume_role_policy = ${heredoc(hubTrust, values)}
}
`,
    comment(hubPermissions),
    rolePolicy('hub', hubPermissions, values),
    `output "hub_role_arn" {
  value = aws_iam_role.hub.arn
}
`,
  ])
}

function account({ table, choice, values }: Parts): string {
  const { isHub, isPersonal, boundary, spokeTrust, spokePermissions, accountValues } = needsOf(table, choice)
  return file([
    ...variableBlocks([
      ...when(isHub, ['hub_role_arn', 'external_id', 'connect_role_path', 'connect_role_name'] as const),
      ...when(boundary !== undefined, ['revocation_policy_path', 'revocation_policy_name'] as const),
    ]),
    ...accountValues.map((name) => kindVariable(name, table.values[name])),
    ...variableBlocks(when(isPersonal, ['issuer', 'client_id'] as const)),
    ...when(isHub, [
      data('aws_partition'),
      data('aws_caller_identity'),
      locals(['connect_role', ...when(boundary !== undefined, ['revocation_policy'] as const)]),
      comment(spokeTrust),
      `resource "aws_iam_role" "connect" {
  name = var.connect_role_name
  path = var.connect_role_path

  assume_role_policy = ${heredoc(spokeTrust, values)}
}
`,
      comment(spokePermissions),
      rolePolicy('connect', spokePermissions, values),
    ]),
    ...(boundary ? revocations(boundary, values) : []),
    ...when(isPersonal, [
      `# roles that trust web_identity: whose ID tokens the account believes
resource "aws_iam_openid_connect_provider" "people" {
  count          = var.issuer == "" ? 0 : 1
  url            = "https://\${var.issuer}"
  client_id_list = [var.client_id]
}
`,
    ]),
  ])
}

/** For each account and region. */
function sessionDocuments({ table, choice }: Parts): Record<string, string> {
  const documents = chooseSessionDocuments(table, choice)
  if (documents.length === 0) return {}
  const blocks = documents.map(
    ({ name, title, content }) => `# ${title}
resource "aws_ssm_document" "${snake(name.replace(/^Sallyport-/, 'sallyport'))}" {
  name            = "${name}"
  document_type   = "Session"
  document_format = "JSON"

  content = <<-JSON
${JSON.stringify(content, null, 2).replaceAll(/^/gm, '    ')}
  JSON
}
`,
  )
  return { 'session-documents/main.tf': file(blocks) }
}

function revocations(boundary: PolicyEntry, values: Parts['values']): string[] {
  return [
    comment(boundary),
    `resource "aws_iam_policy" "revocations" {
  name = var.revocation_policy_name
  path = var.revocation_policy_path

  policy = ${heredoc(boundary, values)}

  # The broker writes the versions that follow.
  lifecycle {
    ignore_changes = [policy]
  }
}
`,
  ]
}

function role({ table, choice, values }: Parts): string {
  const { boundary, additions } = needsOf(table, choice)
  const { roleTrust, roleWebIdentityTrust } = table.base
  const isRevocable = boundary !== undefined
  return file([
    ...variableBlocks([
      'role_name',
      'connect_role_path',
      'connect_role_name',
      ...when(isRevocable, ['revocation_policy_path', 'revocation_policy_name'] as const),
      'issuer',
      'client_id',
    ]),
    variable('subject', 'pattern of the subjects whose ID tokens count', choice.idToken?.sub ?? '?*'),
    `variable "max_session" {
  description = "seconds that keys may last which are obtained with an ID token"
  type        = number
  default     = 3600
}
`,
    ...additions.flatMap(({ values: names }) => names.map((name) => kindVariable(name, table.values[name]))),
    ...additions.map(({ feature, when: about }) => flag(snake(feature), about, false)),
    `variable "trust" {
  description = "hub, or web_identity: only the person's own ID token"
  type        = string
  default     = "${choice.trusts[0]}"

  validation {
    condition     = contains(["hub", "web_identity"], var.trust)
    error_message = "Expected hub or web_identity."
  }
}
`,
    ...when(isRevocable, [flag('revocable', 'credentials already handed out are killed when the grant ends', true)]),
    `variable "policy_arns" {
  description = "what the role may do"
  type        = set(string)
}
`,
    data('aws_partition'),
    data('aws_caller_identity'),
    locals(['connect_role', ...when(boundary !== undefined, ['revocation_policy'] as const)]),
    `locals {
${comment(roleTrust, '  ')}  hub_trust = ${heredoc(roleTrust, values)}

${comment(roleWebIdentityTrust, '  ')}  web_identity_trust = ${heredoc(roleWebIdentityTrust, values)}
}
`,
    ...when(isRevocable, [
      `locals {
  boundary = "${fill('arn:{{partition}}:iam::{{account}}:policy/{{revocationPolicy}}', values)}"
}
`,
    ]),
    `resource "aws_iam_role" "brokered" {
  name                 = var.role_name
  max_session_duration = var.trust == "hub" ? 3600 : var.max_session
  assume_role_policy   = var.trust == "hub" ? local.hub_trust : local.web_identity_trust
${isRevocable ? '  permissions_boundary = var.trust == "hub" && var.revocable ? local.boundary : null\n' : ''}
  tags = {
    "sallyport:managed" = "true"
  }
}
`,
    `resource "aws_iam_role_policy_attachment" "brokered" {
  for_each   = var.policy_arns
  role       = aws_iam_role.brokered.name
  policy_arn = each.value
}
`,
    ...additions.flatMap(({ entry, feature }) => [
      comment(entry),
      `resource "aws_iam_role_policy" "${snake(feature)}" {
  count = var.${snake(feature)} ? 1 : 0
  name  = "sallyport-${feature}"
  role  = aws_iam_role.brokered.id

  policy = ${heredoc(entry, values)}
}
`,
    ]),
    `output "role_arn" {
  value = aws_iam_role.brokered.arn
}
`,
  ])
}

function flag(name: string, description: string, fallback: boolean): string {
  return `variable "${name}" {
  description = "${description}"
  type        = bool
  default     = ${fallback}
}
`
}

const file = (blocks: readonly string[]) =>
  `${heading}\n${blocks.join('\n').replaceAll(/(\n#[^\n]*\n)\n(resource)/g, '$1$2')}`

function variableBlocks(names: readonly Variable[]): string[] {
  return names.map((name) => {
    const [description, fallback] = variables[name]
    return variable(name, description, fallback)
  })
}

function kindVariable(name: string, value: PolicyValue | undefined): string {
  return variable(snake(name), value?.description ?? name, value?.default)
}

function variable(name: string, description: string, fallback: string | undefined): string {
  return [
    `variable "${name}" {`,
    `  description = ${JSON.stringify(description)}`,
    '  type        = string',
    ...(fallback === undefined ? [] : [`  default     = ${JSON.stringify(fallback)}`]),
    '}\n',
  ].join('\n')
}

const data = (type: string) => `data "${type}" "current" {}\n`

function locals(names: readonly ('connect_role' | 'revocation_policy')[]): string {
  const width = Math.max(...names.map((name) => name.length))
  const lines = names.map(
    (name) => `  ${name.padEnd(width)} = "\${trimprefix(var.${name}_path, "/")}\${var.${name}_name}"`,
  )
  return `locals {\n${lines.join('\n')}\n}\n`
}

function rolePolicy(name: string, entry: PolicyEntry, values: Parts['values']): string {
  return `resource "aws_iam_role_policy" "${name}" {
  name = "sallyport"
  role = aws_iam_role.${name}.id

  policy = ${heredoc(entry, values)}
}
`
}

/** The title, and each action with its reason. */
function comment(entry: PolicyEntry, indent = ''): string {
  const reasons = Object.entries(reasonsOf(entry)).map(([action, reason]) => `${indent}#   ${action}: ${reason}`)
  return `${indent}# ${entry.title}\n${reasons.join('\n')}\n`
}

function heredoc(entry: PolicyEntry, values: Parts['values']): string {
  const text = JSON.stringify(toDocument(entry), null, 2)
  const filled = fill(text, values, (piece) => piece.replaceAll('${', '$${'))
  return `<<-JSON\n${filled.replaceAll(/^/gm, '    ')}\n  JSON`
}
