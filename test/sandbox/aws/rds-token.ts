import { authenticate } from './authenticate.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller, Callers } from './callers.ts'
import { instantOf, queryOf, readQuerySignature } from './sigv4.ts'
import type { World } from './world.ts'

/** One database endpoint, as RDS knows it. */
export interface RdsEndpoint {
  /** The name AWS gave it: what tokens must be signed for. */
  readonly host: string
  readonly port: number
  readonly region: string
  readonly account: string
  readonly partition: string
  /** `db-…` or `cluster-…` */
  readonly resourceId: string
}

export interface RdsTokenJudge {
  /**
   * Does this password sign `user` in at `endpoint` now? (`specs/aws.md` 2.9 and 11.1, `specs/postgres-proxy.md` 11)
   * @throws AwsFault whose `reason` says what is wrong; RDS itself tells clients nothing
   */
  check(token: string, user: string, endpoint: RdsEndpoint): Caller
}

const maxExpiresSeconds = 900
/** By how much the clock of who signs may be ahead of that of AWS. */
const maxAheadMs = 5 * 60_000
const parameters = new Set(['Action', 'DBUser'])

export function createRdsTokenJudge(deps: {
  world: World
  callers: Callers
  isDenied(action: string): boolean
  now(): number
}): RdsTokenJudge {
  return {
    check: (token, user, endpoint) => {
      const { world, callers } = deps
      const now = deps.now()
      const request = readToken(token, user, endpoint)
      const signature = readQuerySignature(request)
      if ((signature.expiresSeconds ?? Infinity) > maxExpiresSeconds)
        throw refused('the token lives longer than 15 minutes')
      if ((instantOf(signature.amzDate) ?? 0) > now + maxAheadMs) throw refused('the token is from the future')
      if (signature.signedHeaders.join() !== 'host') throw refused('SignedHeaders must be host')
      const caller = authenticate(request, signature, { service: 'rds-db', regions: [endpoint.region] }, callers, now)
      const action = 'rds-db:connect'
      const { partition, region, account, resourceId } = endpoint
      const resource = `arn:${partition}:rds-db:${region}:${account}:dbuser:${resourceId}/${user}`
      const context = callerContext(world, caller, now, resource)
      if (caller.account !== account) throw refused('the credentials belong to another account')
      const why = deps.isDenied(action)
        ? 'denied by a fault knob'
        : refusal(world, caller, { action, resource, context })
      if (why) throw refused(`${caller.arn} may not ${action} on ${resource}: ${why}`)
      return caller
    },
  }
}

function readToken(token: string, user: string, endpoint: RdsEndpoint) {
  const at = token.indexOf('/?')
  if (at < 0 || token.includes('#')) throw refused('the password is not a token')
  const [host, target] = [token.slice(0, at), token.slice(at)]
  if (host !== `${endpoint.host}:${endpoint.port}`) throw refused(`the token is for ${host}`)
  const query = queryOf(target)
  const value = (name: string) => query.find(([one]) => one === name)?.[1]
  const stray = query.find(([name]) => !parameters.has(name) && !name.startsWith('X-Amz-'))
  if (stray) throw refused(`the token has an unknown parameter ${stray[0]}`)
  if (value('Action') !== 'connect') throw refused('Action is not connect')
  if (value('DBUser') !== user) throw refused(`the token is for the user ${value('DBUser')}`)
  return { method: 'GET', target, headers: [['host', host]] as const, body: new Uint8Array(0) }
}

function refused(reason: string): AwsFault {
  return new AwsFault('AccessDenied', 403, 'PAM authentication failed', reason)
}
