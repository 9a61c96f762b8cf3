import { Type } from 'typebox'
import { LevelName } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { flag, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const role = {
  resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id of an iam-role, or its last part' }),
  level: Type.Optional(LevelName),
  tool: Type.Optional(Type.String({ maxLength: 128, description: 'What asks, for the recording' })),
}

const Trust = oneOf(['hub', 'web_identity'])

const Installation = object({
  externalId: text(),
  hubRoleArn: nullable(text()),
  connectRole: text('Name, with its path, of the role in each account'),
  revocationPolicy: text('Name, with its path, of the managed policy that bounds revocable roles'),
  accounts: mapOf(object({ partition: text(), trust: Trust }), 'By account id'),
  issuer: text(),
  clientId: text(),
  features: list(text(), 'What the known resources need; none: there are none yet'),
})
/** What policy documents of this installation have to say. */
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

/** Sessions of IAM roles, and what AWS has to be told. */
export const awsRoutes = {
  'GET /api/v1/aws/installation': {
    summary: 'What policy documents of this installation have to say',
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
  'POST /api/v1/aws/credentials': {
    summary: 'Credentials of a role, by a grant of the caller',
    access: 'user',
    scope: 'connect',
    body: object(role),
    answer: { 200: RoleCredentials },
  },
  'POST /api/v1/aws/console': {
    summary: 'A link to the AWS console, by a grant of the caller',
    access: 'user',
    interactive: true,
    body: object({
      ...role,
      destination: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 2048,
          description: 'A service such as s3, or an address of the console',
        }),
      ),
      region: Type.Optional(Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$' })),
    }),
    answer: { 200: ConsoleLink },
  },
} as const satisfies Record<string, RouteContract>
