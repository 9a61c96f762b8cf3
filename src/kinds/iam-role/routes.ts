import type { FastifyPluginAsync } from 'fastify'
import { toIdentity } from '../../identity/require-login.ts'
import { type Call, route } from '../../identity/route.ts'
import type { ConsoleAsk } from './console.ts'
import type { RoleAsk, RoleSessions } from './role-sessions.ts'

/** Scripts call AWS's tools in loops, many machines share one address, and each tool starts a helper. */
const helpers = { max: 6000, timeWindow: '1 minute' }

export interface AwsRoutesDeps {
  readonly roles: Pick<RoleSessions, 'handOut'>
  readonly publicUrl: string
  /** First of `aws.regions`. */
  readonly region: string | undefined
  checkDestination(wanted: string | undefined): void
  consoleDestination(partition: string, region: string | undefined, wanted: string | undefined): string
  consoleLink(ask: ConsoleAsk): Promise<string>
  /** Audits that a link was made, before it is shown. @throws BrokerError AUDIT_UNAVAILABLE */
  onConsole(opened: { sessionId: string; grantId: string; principalId: string; destination: string }): Promise<void>
}

/** Sessions of IAM roles: credentials for tools, links for browsers. Neither may be cached. */
export const awsRoutes =
  (deps: AwsRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(
      app,
      'POST /api/v1/aws/credentials',
      async ({ reply, ...call }) => {
        const { credentials, permit, target } = await deps.roles.handOut(toAsk(call))
        reply.header('cache-control', 'no-store')
        return {
          ...credentials,
          accountId: target.account,
          roleArn: target.roleArn,
          resource: permit.resourceId,
          level: permit.level,
          session: permit.sessionId,
        }
      },
      { rateLimit: helpers },
    )
    route(app, 'POST /api/v1/aws/console', async ({ reply, ...call }) => {
      const { destination: wanted, region = deps.region } = call.body
      deps.checkDestination(wanted)
      const { credentials, permit, target } = await deps.roles.handOut(toAsk(call), {
        as: 'console',
        ...(wanted === undefined ? {} : { destination: wanted }),
      })
      const destination = deps.consoleDestination(target.partition, region, wanted)
      const link = { partition: target.partition, credentials, destination, issuer: `${deps.publicUrl}/` }
      const url = await deps.consoleLink(link)
      const { sessionId, grantId, principalId } = permit
      await deps.onConsole({ sessionId, grantId, principalId, destination })
      reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
      return { url, destination, expiresAt: credentials.expiresAt, resource: permit.resourceId, session: sessionId }
    })
  }

function toAsk({
  login,
  body,
  request,
}: Pick<Call<'POST /api/v1/aws/credentials'>, 'login' | 'body' | 'request'>): RoleAsk {
  const { resource, level, tool } = body
  return {
    identity: toIdentity(login),
    resource,
    client: { address: request.ip, port: request.socket.remotePort ?? 0, via: 'api' },
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
  }
}
