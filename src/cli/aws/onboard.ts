import { printable } from '../../../proxy/printable.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { OnboardedAccount, ValidationReport } from '../../contract/aws.ts'
import type { ApiClient } from '../api/api-client.ts'
import { readList } from '../api/read-list.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson, printTable } from '../output.ts'
import { printReport } from './validate.ts'

export interface OnboardOptions {
  readonly format: 'terraform' | 'cloudformation'
  /** False: nothing is tried. */
  readonly check: boolean
  /** Also those that let the broker in when they were last tried. */
  readonly all?: boolean
  readonly hubArn?: string
  readonly write?: string
  readonly json?: boolean
}

/**
 * `sallyport aws onboard`: the accounts with their state, and what those need that do not let the broker in.
 * @throws BrokerError INVALID_INPUT where a value is not known that would have to be made up
 */
export async function onboard(server: { server?: string }, options: OnboardOptions): Promise<number> {
  const api = await openApiClient(server)
  const hub = options.check ? await run(api, 'hub') : null
  if (hub && !options.json) printReport(hub)
  const before = await accountsOf(api)
  if (options.check) await tryAll(api, before.filter(isToTry(options.all ?? false)))
  const accounts = options.check ? await accountsOf(api) : before
  const missing = accounts.filter(
    ({ state, trust }) => trust === 'hub' && (state === 'not-onboarded' || state === 'denied'),
  )
  const files =
    options.write === undefined || missing.length === 0
      ? []
      : await writeTo(options.write, api, accounts, missing, options)
  if (options.json) printJson({ hub, accounts, files })
  else print(accounts, missing, files, options)
  return missing.length === 0 && hub?.ok !== false ? exitCodes.done : exitCodes.failed
}

async function accountsOf(api: ApiClient): Promise<readonly OnboardedAccount[]> {
  return (await readList(api, 'GET /api/v1/aws/accounts', {}, { all: true })).items
}

const isToTry =
  (all: boolean) =>
  ({ state, trust }: OnboardedAccount): boolean =>
    state !== 'suspended' && (trust === 'web_identity' ? state === 'unchecked' : all || state !== 'onboarded')

function run(api: ApiClient, subject: string): Promise<ValidationReport> {
  return api.call('POST /api/v1/validations/run', { body: { subject } })
}

/** One at a time, so that no call takes long. */
async function tryAll(api: ApiClient, accounts: readonly OnboardedAccount[]): Promise<void> {
  for (const [index, { account }] of accounts.entries()) {
    progress(`checking account ${account}, ${index + 1} of ${accounts.length}`)
    await run(api, `account/${account}`)
  }
  progress('')
}

/** One line that is drawn again; only where a person looks. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

async function writeTo(
  folder: string,
  api: ApiClient,
  accounts: readonly OnboardedAccount[],
  missing: readonly OnboardedAccount[],
  { format, hubArn }: OnboardOptions,
): Promise<string[]> {
  const installation = await api.call('GET /api/v1/aws/installation')
  const hubRoleArn = installation.hubRoleArn ?? hubArn
  if (hubRoleArn === undefined)
    throw new BrokerError(
      'INVALID_INPUT',
      'the daemon has no hub role, so it is not known whom accounts are to trust',
      {
        hint: 'set aws.hub_role_arn, or give --hub-arn with the ARN of the identity that the daemon runs as',
      },
    )
  const { onboardingFiles } = await import('./onboarding-files.ts')
  const files = onboardingFiles({ ...installation, hubRoleArn }, { accounts, missing, format })
  const { writeFiles } = await import('./write-files.ts')
  return await writeFiles(folder, files)
}

const reasons = 200

function print(
  accounts: readonly OnboardedAccount[],
  missing: readonly OnboardedAccount[],
  files: readonly string[],
  { format, write }: OnboardOptions,
): void {
  printTable(
    ['ACCOUNT', 'NAME', 'UNIT', 'TRUST', 'STATE', 'REASON'],
    accounts.map(({ account, title, path, trust, state, reason }) => [
      account,
      title ?? '-',
      path ?? '-',
      trust,
      state,
      (reason ?? '').slice(0, reasons),
    ]),
    'no accounts are known; add them to aws.accounts, or set inventory.organization: true',
  )
  const say = (text: string) => process.stdout.write(`${text}\n`)
  say(summary(accounts))
  for (const { account, state, fix } of missing)
    if (state === 'denied' && fix !== null) say(`${account}: ${printable(fix)}`)
  for (const file of files) say(file)
  if (missing.length === 0) return
  if (write === undefined) say('what they need is written by: sallyport aws onboard --write FOLDER')
  else for (const step of steps(write, accounts, missing, format)) say(step)
  say('A broker serves one organization: give another one a broker of its own.')
}

function summary(accounts: readonly OnboardedAccount[]): string {
  const counts = Map.groupBy(accounts, ({ state }) => state)
  return [...counts].map(([state, of]) => `${of.length} ${state}`).join(', ')
}

/** In order. */
function steps(
  folder: string,
  accounts: readonly OnboardedAccount[],
  missing: readonly OnboardedAccount[],
  format: OnboardOptions['format'],
): string[] {
  const again = 'then run again: sallyport aws onboard'
  if (format === 'terraform') return [`review ${folder}, then run there: terraform init && terraform apply`, again]
  const outside = missing.filter(({ unit }) => unit === null)
  const parameters = (name: string) => `--parameter-overrides file://${folder}/${name}`
  const account = `aws cloudformation deploy --stack-name sallyport --capabilities CAPABILITY_NAMED_IAM --template-file ${folder}/account.yaml ${parameters('account-parameters.json')}`
  const whole = `aws cloudformation deploy --stack-name sallyport-accounts --capabilities CAPABILITY_NAMED_IAM --template-file ${folder}/stackset.yaml ${parameters('stackset-parameters.json')}`
  const isInOrganization = accounts.some(({ unit }) => unit !== null)
  return [
    ...(isInOrganization
      ? [
          `in the management account run: ${whole}`,
          'or run it in a delegated administrator of stack sets, after CallAs in stackset-parameters.json is set to DELEGATED_ADMIN',
          `stack sets leave out the management account; there, and in each account that is not to be reached by a stack set, run: ${account}`,
        ]
      : [`in each of ${outside.map((one) => one.account).join(', ')} run: ${account}`]),
    again,
  ]
}
