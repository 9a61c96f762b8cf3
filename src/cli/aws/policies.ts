import { BrokerError } from '../../../proxy/session.ts'
import { renderCloudFormation } from '../../aws/policies/render-cloudformation.ts'
import { type RenderedPolicy, renderJson } from '../../aws/policies/render-json.ts'
import { renderTerraform } from '../../aws/policies/render-terraform.ts'
import {
  type Choice,
  policiesOf,
  type Trust,
  unservedFeatures,
  untemplated,
  type Values,
} from '../../aws/policies/table.ts'
import type { Installation } from '../../contract/aws.ts'
import { kinds } from '../../kinds/registry.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson } from '../output.ts'

export interface PoliciesOptions {
  readonly format: 'json' | 'terraform' | 'cloudformation'
  readonly feature?: readonly string[]
  readonly trust: Trust
  readonly account?: string
  readonly computeArn?: string
  readonly organization?: string
  readonly databaseUsers?: readonly string[]
  readonly offline?: boolean
  readonly write?: string
  readonly json?: boolean
}

/** What stands for a value that is not known; AWS takes none of them. */
const placeholders = {
  account: 'ACCOUNT_ID',
  compute: 'COMPUTE_ARN',
  externalId: 'EXTERNAL_ID',
  hubRole: 'HUB_ROLE_ARN',
  organization: 'ORGANIZATION_ID',
  issuer: 'ISSUER',
} as const

/** The same of what rules give access to, where none does. */
const byRules = [
  ...['INSTANCE_ID', 'PERMISSION_SET_ID', 'PERMISSION_SET_NAME'],
  ...['ACCOUNT_OF_PERMISSION_SETS', 'IDENTITY_STORE_ID', 'GROUP_ID'],
]

/** Of documents made without asking a broker. */
const example: Installation = {
  externalId: placeholders.externalId,
  hubRoleArn: placeholders.hubRole,
  connectRole: 'sallyport/SallyportConnect',
  revocationPolicy: 'sallyport/SallyportRevocations',
  accounts: {},
  issuer: placeholders.issuer,
  features: [],
  values: {},
  clientId: 'sallyport',
}

/** `sallyport aws policies`: what a user must install, as text to paste, or as templates in files. */
export async function printPolicies(server: { server?: string }, options: PoliciesOptions): Promise<number> {
  // Templates have parameters for everything else, so that only the features must be asked for.
  const isAsked =
    !options.offline && (options.format === 'json' || options.feature === undefined || options.trust === 'web_identity')
  const installation = isAsked ? await (await openApiClient(server)).call('GET /api/v1/aws/installation') : example
  const choice = choiceOf(installation, options)
  if (options.format !== 'json') {
    const rest = untemplated(policiesOf(kinds), choice)
    if (rest.length > 0)
      process.stderr.write(
        `sallyport: in no template, since they change with the rules: ${rest.join(', ')}; --format json prints them\n`,
      )
    const files = options.format === 'terraform' ? renderTerraform(kinds, choice) : renderCloudFormation(kinds, choice)
    return options.write === undefined ? printFiles(files) : await writeAll(options.write, files)
  }
  const lists = listsOf(installation, options)
  if (lists.databaseUsers?.includes('*')) process.stderr.write(anyUser)
  const documents = renderJson(kinds, choice, valuesOf(installation, options), lists)
  sayPlaceholders(JSON.stringify(documents))
  if (options.write !== undefined)
    return await writeAll(
      options.write,
      Object.fromEntries(documents.map(({ name, document }) => [`${name}.json`, toText(document)])),
    )
  if (options.json) printJson(documents)
  else for (const document of documents) printDocument(document)
  return exitCodes.done
}

/** By default what the resources of the broker need; before there are any, everything. */
function choiceOf(installation: Installation, options: PoliciesOptions): Choice {
  const { features: needed = [], accounts } = installation
  const { feature, trust } = options
  const table = policiesOf(kinds)
  const { features } = table
  const unknown = feature?.find((one) => !features.includes(one))
  if (unknown) throw new BrokerError('INVALID_INPUT', `--feature: expected ${features.join(', ')}, got ${unknown}`)
  const [unserved] = unservedFeatures(table, { features: feature ?? [], trusts: [trust] })
  if (unserved)
    throw new BrokerError('INVALID_INPUT', `--feature: ${unserved} cannot be had in accounts that trust ${trust}`)
  return {
    features: feature ?? (needed.length > 0 ? needed : features),
    trusts: [trust],
    idToken: accounts[accountOf(installation, options)]?.idToken,
  }
}

const givenBy = {
  ACCOUNT_ID: '--account',
  COMPUTE_ARN: '--compute-arn',
  ORGANIZATION_ID: '--organization',
} as const satisfies Partial<Record<(typeof placeholders)[keyof typeof placeholders], string>>

/** What was made up is named, so that nobody takes it for a value of theirs. */
function sayPlaceholders(text: string): void {
  const held = [...Object.values(placeholders), ...byRules].filter((name) => text.includes(name))
  if (held.length === 0) return
  const named = held.map((name) => (name in givenBy ? `${name} (${givenBy[name as keyof typeof givenBy]})` : name))
  process.stderr.write(`sallyport: replace these placeholders, which AWS does not take: ${named.join(', ')}\n`)
}

const anyUser =
  'sallyport: these policies allow every database user, because a level has db_user {login} alone; with a prefix, such as app_{login}, they allow app_* only\n'

/** What the levels in force need of each value, and the names that are usual unless there are others alone. */
function listsOf({ values }: Installation, { databaseUsers }: PoliciesOptions): Record<string, readonly string[]> {
  const lists = Object.entries(policiesOf(kinds).values).map(([name, { default: usual }]) => {
    const needed = values[name] ?? []
    const others = needed.filter((one) => !one.startsWith(usual.slice(0, -1)))
    return [name, others.length > 0 && others.length === needed.length ? others : [usual, ...others]]
  })
  return { ...Object.fromEntries(lists), ...(databaseUsers ? { databaseUsers } : {}) }
}

/** The one that was asked for, else the first of that trust. */
function accountOf({ accounts }: Installation, { account, trust }: PoliciesOptions): string {
  const ids = Object.keys(accounts)
  return account ?? ids.find((id) => accounts[id]?.trust === trust) ?? ids[0] ?? placeholders.account
}

function valuesOf(installation: Installation, options: PoliciesOptions): Values {
  const { hubRoleArn, externalId, connectRole, revocationPolicy, issuer, clientId, accounts } = installation
  const account = accountOf(installation, options)
  const compute = options.computeArn ?? placeholders.compute
  const hubRole = hubRoleArn ?? compute
  return {
    partition: accounts[account]?.partition ?? 'aws',
    account,
    externalId,
    connectRole,
    revocationPolicy,
    clientId,
    subject: accounts[account]?.idToken?.sub ?? '?*',
    hubRole,
    hubName: hubRole.slice(hubRole.indexOf('/') + 1),
    issuer: issuer.replace(/^https?:\/\//, '').replace(/\/$/, ''),
    compute,
    organization: options.organization ?? placeholders.organization,
  }
}

function printDocument({ title, where, document, reasons }: RenderedPolicy): void {
  process.stdout.write(`# ${where}: ${title}\n`)
  for (const [action, reason] of Object.entries(reasons)) process.stdout.write(`#   ${action}: ${reason}\n`)
  process.stdout.write(`${toText(document)}\n`)
}

const toText = (document: unknown) => `${JSON.stringify(document, null, 2)}\n`

function printFiles(files: Readonly<Record<string, string>>): number {
  for (const [name, text] of Object.entries(files)) process.stdout.write(`# ${name}\n${text}\n`)
  return exitCodes.done
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<number> {
  const { writeFiles } = await import('./write-files.ts')
  for (const path of await writeFiles(folder, files)) process.stdout.write(`${path}\n`)
  return exitCodes.done
}
