import { renderCloudFormation } from '../../aws/policies/render-cloudformation.ts'
import { renderTerraform } from '../../aws/policies/render-terraform.ts'
import { type Choice, needsOf, policiesOf } from '../../aws/policies/table.ts'
import type { Installation, OnboardedAccount } from '../../contract/aws.ts'
import { kinds } from '../../kinds/registry.ts'

type Known = Installation & { readonly hubRoleArn: string }

interface Ask {
  readonly accounts: readonly OnboardedAccount[]
  /** Those that do not let the broker in. */
  readonly missing: readonly OnboardedAccount[]
  readonly format: 'terraform' | 'cloudformation'
}

/**
 * Templates for the accounts that are missing, with the values of this installation; none of them is made up.
 * @returns texts by their paths
 */
export function onboardingFiles(installation: Known, { missing, format }: Ask): Record<string, string> {
  const table = policiesOf(kinds)
  const { features } = installation
  const choice: Choice = { features: features.length > 0 ? features : table.features, trusts: ['hub'] }
  const values = valuesOf(installation, choice)
  return format === 'terraform'
    ? { ...renderTerraform(kinds, choice), 'main.tf': terraformRoot(values, missing) }
    : {
        ...renderCloudFormation(kinds, choice),
        'account-parameters.json': parametersOf(values),
        'stackset-parameters.json': parametersOf({
          ...values,
          organizational_units: unitsOf(missing),
          call_as: 'SELF',
        }),
      }
}

/** By the names of the Terraform variables; only those that the templates of an account ask for. */
function valuesOf(installation: Known, choice: Choice): Record<string, string> {
  const { boundary, accountValues } = needsOf(policiesOf(kinds), choice)
  const connect = split(installation.connectRole)
  const revocation = split(installation.revocationPolicy)
  return {
    hub_role_arn: installation.hubRoleArn,
    external_id: installation.externalId,
    connect_role_path: connect.path,
    connect_role_name: connect.name,
    ...(boundary ? { revocation_policy_path: revocation.path, revocation_policy_name: revocation.name } : {}),
    ...Object.fromEntries(
      accountValues.flatMap((name) => {
        // Templates take one value each: several stand for themselves only by a pattern that covers them all.
        const [only, another] = installation.values[name] ?? []
        return only === undefined || another !== undefined ? [] : [[snake(name), only]]
      }),
    ),
  }
}

/** `sallyport/SallyportConnect` → `/sallyport/` and its name. */
function split(role: string): { readonly path: string; readonly name: string } {
  const slash = role.lastIndexOf('/')
  return { path: slash < 0 ? '/' : `/${role.slice(0, slash + 1)}`, name: role.slice(slash + 1) }
}

function unitsOf(missing: readonly OnboardedAccount[]): string {
  return [...new Set(missing.flatMap(({ unit }) => unit ?? []))].sort().join(',')
}

/** As CloudFormation takes parameters from a file. */
function parametersOf(values: Readonly<Record<string, string>>): string {
  const list = Object.entries(values).map(([name, value]) => `${pascal(name)}=${value}`)
  return `${JSON.stringify(list, null, 2)}\n`
}

/** One module for each account, each by a provider of its own. */
function terraformRoot(values: Readonly<Record<string, string>>, missing: readonly OnboardedAccount[]): string {
  const settings = Object.entries(values).map(([name, value]) => `  ${name} = ${JSON.stringify(value)}`)
  const accounts = missing.map(
    ({ account, title }) => `# ${(title ?? account).replaceAll(/[^\\x20-\\x7e]/g, '?')}
provider "aws" {
  alias = "account_${account}"
  assume_role {
    role_arn = "arn:\${var.partition}:iam::${account}:role/\${var.deployer_role}"
  }
}

module "account_${account}" {
  source    = "./account"
  providers = { aws = aws.account_${account} }

${settings.join('\n')}
}
`,
  )
  return `variable "partition" {
  description = "partition of the accounts"
  type        = string
  default     = "aws"
}

variable "deployer_role" {
  description = "role in each account that may make roles; AWS makes this one in accounts that the organization created"
  type        = string
  default     = "OrganizationAccountAccessRole"
}

${accounts.join('\n')}`
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function pascal(name: string): string {
  return name
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('')
}
