import { Type } from 'typebox'
import { listOf, paging } from './lists.ts'
import { LevelName, LoginName } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const role = {
  resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id of an iam-role, or its last part' }),
  level: Type.Optional(LevelName),
  tool: Type.Optional(Type.String({ maxLength: 128, description: 'Name of the calling tool, for the recording' })),
}

const Trust = oneOf(['hub', 'web_identity'])

const Installation = object({
  externalId: text(),
  hubRoleArn: nullable(text()),
  connectRole: text('Name, with its path, of the role in each account'),
  revocationPolicy: text('Name, with its path, of the managed policy that bounds revocable roles'),
  accounts: mapOf(
    object({
      partition: text(),
      trust: Trust,
      idToken: object(
        { sub: text('Pattern of subjects'), amr: nullable(text()), tags: mapOf(text()) },
        'What trust policies demand of an ID token besides its audience',
      ),
    }),
    'By account id',
  ),
  issuer: text(),
  clientId: text(),
  features: list(text(), 'What the known resources need; empty: there are none yet'),
  values: mapOf(list(text()), 'What the levels in force need of the values of policies, with wildcards, by name'),
})
/** Values that the policy documents of this installation need. */
export type Installation = Shape<typeof Installation>

const AccountReport = object({
  account: text(),
  trust: Trust,
  ok: flag(),
  features: list(text(), 'What its known resources need'),
  findings: list(
    object({
      check: text(),
      outcome: oneOf(['ok', 'failed', 'skipped'], 'skipped: an earlier one failed, so that this would say nothing'),
      detail: text(),
      fix: nullable(text('What to do')),
    }),
  ),
})
export type AccountReport = Shape<typeof AccountReport>

const Preparation = object({
  resource: text('Full id'),
  steps: list(
    object({
      what: text(),
      levels: list(text(), 'The levels that need it; empty: all'),
      language: oneOf(['sh', 'sql']),
      text: text('Lines to paste'),
    }),
    'In order',
  ),
})
export type Preparation = Shape<typeof Preparation>

const TargetCheck = object({
  check: text(),
  outcome: oneOf(['ok', 'warn', 'fail'], 'fail: sessions of the level do not work, or could do more than it says'),
  detail: text(),
  fix: nullable(text('What to do')),
})
export type TargetCheck = Shape<typeof TargetCheck>

const TargetReport = object({
  resource: text('Full id'),
  level: text('The one that was looked at'),
  levels: list(text(), 'All levels of the resource'),
  session: text('Id of the recorded session; empty: none was opened'),
  ok: flag('No check failed'),
  checks: list(TargetCheck),
})
export type TargetReport = Shape<typeof TargetReport>

const RoleCredentials = object({
  accessKeyId: text(),
  secretAccessKey: text(),
  sessionToken: text(),
  expiresAt: instant(),
  accountId: text(),
  roleArn: text(),
  resource: text('Full id'),
  level: text(),
  session: text('Id'),
})
export type RoleCredentials = Shape<typeof RoleCredentials>

const ConsoleLink = object({
  url: text('Signs in anyone who opens it'),
  destination: text(),
  expiresAt: instant(),
  resource: text('Full id'),
  session: text('Id'),
})
export type ConsoleLink = Shape<typeof ConsoleLink>

/** Sessions of IAM roles, and what must be installed in AWS. */
export const awsRoutes = {
  'GET /api/v1/aws/installation': {
    summary: 'Values that the policy documents of this installation need',
    access: 'admin',
    scope: 'admin',
    answer: { 200: Installation },
  },
  'POST /api/v1/aws/validate': {
    summary: 'Tries the roles of every registered account, or of one',
    access: 'admin',
    scope: 'admin',
    body: object({
      account: Type.Optional(Type.String({ pattern: '^[0-9]{12}$', description: 'Only this account' })),
    }),
    answer: { 200: object({ accounts: list(AccountReport) }) },
  },
  'GET /api/v1/aws/preparation': {
    summary: 'What is run once so that a resource takes the sign-ins of its levels; names its database users',
    access: 'admin',
    scope: 'admin',
    query: object({
      resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id, or its last part' }),
      login: Type.Optional(LoginName),
    }),
    answer: { 200: Preparation },
  },
  'POST /api/v1/aws/preflight': {
    summary:
      'Signs in to a target as one of its levels, in a recorded session, and says what is missing or wider than it',
    access: 'admin',
    scope: 'admin',
    body: object({
      resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id, or its last part' }),
      level: Type.Optional(LevelName),
      login: Type.Optional(LoginName),
    }),
    answer: { 200: TargetReport },
  },
  'POST /api/v1/aws/credentials': {
    summary: "Credentials of a role, for one of the caller's grants",
    access: 'user',
    scope: 'connect',
    body: object(role),
    answer: { 200: RoleCredentials },
  },
  'POST /api/v1/aws/console': {
    summary: "A link to the AWS console, for one of the caller's grants",
    access: 'user',
    interactive: true,
    body: object({
      ...role,
      destination: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 2048,
          description: 'A service such as s3, or a console URL',
        }),
      ),
      region: Type.Optional(Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$' })),
    }),
    answer: { 200: ConsoleLink },
  },
} as const satisfies Record<string, RouteContract>

const Subject = Type.String({
  minLength: 1,
  maxLength: 256,
  description: '`hub`, `rules`, `account/` and an account id, or the full id of a resource',
})

const Status = oneOf(
  ['ok', 'warning', 'failed', 'unknown'],
  'warning: it works, and is weaker than it could be; unknown: it could not be found out',
)

const Decision = ['allowed', 'denied', 'unknown'] as const

const Validation = object(
  {
    subject: text('What was looked at: `hub`, `rules`, `account/…` or the full id of a resource'),
    check: text('For a permission its action, e.g. `iam:GetPolicy`'),
    about: oneOf(['permission', 'trust', 'target', 'rule', 'broker']),
    why: text('What it is needed for'),
    severity: oneOf(
      ['low', 'medium', 'high'],
      'If it fails: high: sessions fail, cannot be ended, or could do more than they should; medium: something is not seen; low: a check cannot be made',
    ),
    status: Status,
    simulated: nullable(oneOf(Decision, 'Of a permission, by iam:SimulatePrincipalPolicy; null: not simulated')),
    called: nullable(oneOf(Decision, 'The same by a real call; null: none is cheap and changes nothing')),
    detail: text(),
    fix: nullable(text('What to do')),
    ranAt: instant('When it was last looked at'),
    since: instant('When it got this status'),
  },
  'One thing that must be as it should, and whether it is',
)
export type Validation = Shape<typeof Validation>

const ValidationSubject = object({
  subject: text(),
  ranAt: nullable(instant('When it was last looked at; null: not yet')),
  ok: count('Checks that passed'),
  warnings: count(),
  failed: count(),
  unknown: count(),
})
export type ValidationSubject = Shape<typeof ValidationSubject>

const ValidationReport = object({
  subject: text(),
  ok: flag('No check failed'),
  ranAt: instant(),
  validations: list(Validation),
})
export type ValidationReport = Shape<typeof ValidationReport>

const OnboardedAccount = object(
  {
    account: text('12 digits'),
    title: nullable(text('Its name in the organization; null: not known')),
    organization: nullable(text('Id of the organization that it is in; null: none is read, or it is in another one')),
    unit: nullable(text('The unit or root that holds it: `ou-…` or `r-…`; null: not known')),
    path: nullable(text('Units that hold it, from the root, by their names; null: not known')),
    trust: oneOf(['hub', 'web_identity']),
    isWritten: flag('It stands under `aws.accounts`'),
    state: oneOf(
      ['onboarded', 'not-onboarded', 'denied', 'suspended', 'unchecked'],
      'not-onboarded: it has no spoke role, and never had; denied: it should let the broker in, and does not; unchecked: nothing was tried yet',
    ),
    reason: nullable(text('Why it is not onboarded')),
    fix: nullable(text('What to do')),
    checkedAt: nullable(instant('When it was last tried')),
  },
  'An account that the broker knows, and whether it lets the broker in',
)
export type OnboardedAccount = Shape<typeof OnboardedAccount>

/** What must be allowed and set up, and whether it is. */
export const validationRoutes = {
  'GET /api/v1/validations': {
    summary: 'What the last checks of permissions, trust policies, rules and resources found',
    access: 'admin',
    scope: 'admin',
    query: object({
      subject: Type.Optional(Subject),
      status: Type.Optional(Status),
      ...paging,
    }),
    answer: { 200: listOf('validations', Validation) },
  },
  'GET /api/v1/validations/subjects': {
    summary: 'What is checked, when it last was, and how many checks failed',
    access: 'admin',
    scope: 'admin',
    query: object({ ...paging }),
    answer: { 200: listOf('subjects', ValidationSubject) },
  },
  'GET /api/v1/aws/accounts': {
    summary: 'Accounts under `aws.accounts` and of the organization that is read, and whether each lets the broker in',
    access: 'admin',
    scope: 'admin',
    query: object({ ...paging }),
    answer: { 200: listOf('accounts', OnboardedAccount) },
  },
  'POST /api/v1/validations/run': {
    summary: 'Checks one subject now; a resource is not signed in to, which `POST /api/v1/aws/preflight` does',
    access: 'admin',
    scope: 'admin',
    body: object({ subject: Subject }),
    answer: { 200: ValidationReport },
  },
} as const satisfies Record<string, RouteContract>
