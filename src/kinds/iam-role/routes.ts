import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AccountReport } from '../../aws/account-report.ts'
import { requireLogin, toIdentity } from '../../http/plugins/authentication.ts'
import type { Login } from '../../identity/principal.ts'
import type { ConsoleAsk } from './console.ts'
import type { RoleAsk, RoleSessions } from './role-sessions.ts'

const strict = { additionalProperties: false } as const
const role = {
  resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id of an iam-role, or its last part' }),
  level: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  tool: Type.Optional(Type.String({ maxLength: 128, description: 'What asks, for the recording' })),
}
const CredentialsAsk = Type.Object(role, strict)
const ConsoleBody = Type.Object(
  {
    ...role,
    destination: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2048, description: 'A service such as s3, or an address of the console' }),
    ),
    region: Type.Optional(Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$' })),
  },
  strict,
)

const ValidateBody = Type.Object(
  { account: Type.Optional(Type.String({ pattern: '^[0-9]{12}$', description: 'Only this account' })) },
  strict,
)

/** What policy documents of this installation have to say. */
export interface Installation {
  readonly externalId: string
  readonly hubRoleArn: string | null
  readonly connectRole: string
  readonly revocationPolicy: string
  readonly accounts: Readonly<Record<string, { readonly partition: string; readonly trust: string }>>
  readonly issuer: string
  readonly clientId: string
}

/** Scripts call AWS's tools in loops, an office of them from one address, and each tool starts a helper. */
const helpers = { max: 6000, timeWindow: '1 minute' }

export interface AwsRoutesDeps {
  readonly installation: Installation
  /** What the resources need of AWS, by the names that `aws policies --feature` takes. */
  features(): readonly string[]
  /** Tries every registered account, or one; audited. @throws BrokerError NOT_FOUND */
  validate(login: Login, account: string | undefined): Promise<readonly AccountReport[]>
  readonly roles: Pick<RoleSessions, 'handOut'>
  readonly publicUrl: string
  /** First of `aws.regions`. */
  readonly region: string | undefined
  checkDestination(wanted: string | undefined): void
  consoleDestination(partition: string, region: string | undefined, wanted: string | undefined): string
  consoleLink(ask: ConsoleAsk): Promise<string>
  /** Writes down that a link was made, before it is shown. @throws BrokerError AUDIT_UNAVAILABLE */
  onConsole(opened: { sessionId: string; grantId: string; principalId: string; destination: string }): Promise<void>
}

/** Sessions of IAM roles: credentials for tools, links for browsers. Neither is cached anywhere on the way. */
export const awsRoutes =
  (deps: AwsRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    app.get('/api/v1/aws/installation', { config: { access: 'admin', scope: 'admin' }, schema: {} }, async () => {
      const { externalId, hubRoleArn, connectRole, revocationPolicy, accounts, issuer, clientId } = deps.installation
      const features = deps.features()
      return { externalId, hubRoleArn, connectRole, revocationPolicy, accounts, issuer, clientId, features }
    })
    app.post(
      '/api/v1/aws/validate',
      { config: { access: 'admin', scope: 'admin' }, schema: { body: ValidateBody } },
      async (request) => {
        const { account } = request.body as Static<typeof ValidateBody>
        return { accounts: await deps.validate(requireLogin(request), account) }
      },
    )
    app.post(
      '/api/v1/aws/credentials',
      { config: { access: 'user', scope: 'connect', rateLimit: helpers }, schema: { body: CredentialsAsk } },
      async (request, reply) => {
        const { credentials, permit, target } = await deps.roles.handOut(toAsk(request))
        return reply.header('cache-control', 'no-store').send({
          accessKeyId: credentials.accessKeyId,
          secretAccessKey: credentials.secretAccessKey,
          sessionToken: credentials.sessionToken,
          expiresAt: credentials.expiresAt,
          accountId: target.account,
          roleArn: target.roleArn,
          resource: permit.resourceId,
          level: permit.level,
          session: permit.sessionId,
        })
      },
    )
    app.post(
      '/api/v1/aws/console',
      { config: { access: 'user', interactive: true }, schema: { body: ConsoleBody } },
      async (request, reply) => {
        const { destination: wanted, region = deps.region } = request.body as Static<typeof ConsoleBody>
        deps.checkDestination(wanted)
        const { credentials, permit, target } = await deps.roles.handOut(toAsk(request), {
          as: 'console',
          ...(wanted === undefined ? {} : { destination: wanted }),
        })
        const destination = deps.consoleDestination(target.partition, region, wanted)
        const link = { partition: target.partition, credentials, destination, issuer: `${deps.publicUrl}/` }
        const url = await deps.consoleLink(link)
        const { sessionId, grantId, principalId } = permit
        await deps.onConsole({ sessionId, grantId, principalId, destination })
        return reply
          .headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
          .send({ url, destination, expiresAt: credentials.expiresAt, resource: permit.resourceId, session: sessionId })
      },
    )
  }

function toAsk(request: FastifyRequest): RoleAsk {
  const { resource, level, tool } = request.body as Static<typeof CredentialsAsk>
  return {
    identity: toIdentity(requireLogin(request)),
    resource,
    client: { address: request.ip, port: request.socket.remotePort ?? 0, via: 'api' },
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
  }
}
