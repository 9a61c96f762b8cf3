import type { EngineFacts, Lease } from '../../../proxy/session.ts'
import { heldBy, type Kind } from '../../catalog/kind.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import { fail, ok } from '../checks.ts'
import { Leases, type Token } from '../leases.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { databasePorts } from '../reach/policies.ts'
import { viaOf } from '../reach/via.ts'
import { RootFiles } from '../root-files.ts'
import { isRdsProxy, readEndpoint } from './endpoint.ts'
import { databaseLease } from './lease.ts'
import type { RdsLevel } from './level.ts'
import type { RdsTarget } from './target.ts'

/** Credentials last an hour and are renewed ten minutes ahead. */
const renewMs = 120_000

/**
 * Databases of RDS and Aurora.
 * @param rulesOf what the engine of their protocol goes by
 * @param validate by the client library of the engine
 */
export function startRds<L extends RdsLevel>(
  parts: KindParts,
  kind: Kind<RdsTarget, L>,
  rulesOf: (level: L, target: RdsTarget) => object,
  validate: NonNullable<RunningKind['validate']>,
): RunningKind {
  const { config, sessions } = parts
  const leases = new Leases(parts, databaseLease)
  const roots = new RootFiles()
  return {
    permit: (held): EngineFacts => {
      const { target, level } = heldBy(kind, held)
      const via = viaOf(target, config.aws, databasePorts)
      return {
        ...(via ? { via } : {}),
        address: target.connect,
        serverName: target.endpoint,
        ca: target.ca === null ? null : roots.read(target.ca),
        isRecordingStrict: level.isRecordingStrict,
        connectTimeoutMs: target.connectTimeoutMs,
        signInsPerSecond: target.signInsPerSecond,
        ...(level.budget ? { budget: level.budget } : {}),
        ...(isRdsProxy(target) ? { isPooled: true } : {}),
        ...(readEndpoint(target.endpoint)?.role === 'writer' ? { isWriter: true } : {}),
        rules: rulesOf(level, target),
      }
    },
    leaseAtHand: ({ facts, held, credential }) => {
      const { target, level } = heldBy(kind, held)
      const token = leases.atHand({ ...facts, credential }, target, level)
      return token ? toLease(level, token) : null
    },
    lease: async (sessionId) => {
      const { facts, held, credential } = sessions.known(sessionId)
      const { target, level } = heldBy(kind, held)
      return toLease(level, await leases.token({ ...facts, credential }, target, level))
    },
    leaseToEnd: async ({ facts, held, credential }) => {
      const { target, level } = heldBy(kind, held)
      return toLease(level, await leases.tokenToEnd({ ...facts, credential }, target, level))
    },
    validate: async (preflight) => {
      const { target } = heldBy(kind, preflight.held)
      const isPersonal = config.aws.accounts[target.account]?.trust === 'web_identity'
      const trust = isPersonal ? [byOwnToken(target.account)] : []
      if (target.via.length === 0) return [...trust, ...(await validate(preflight))]
      const { validateVia } = await import('../reach/validate-via.ts')
      const way = await validateVia(parts, sessions.known(preflight.permit.sessionId), target, databasePorts)
      return [...trust, ...way, ...(await validate(preflight))]
    },
    check: async (entry) => iamCheck(heldBy(kind, { resource: entry, target: entry.target, level: null }).target),
    chores: [
      {
        what: 'renew the credentials of open database sessions',
        everyMs: renewMs,
        per: 'daemon',
        run: () => leases.renew((sessionId) => sessions.isOpen(sessionId)),
      },
    ],
  }
}

/** By what was found last; nothing for what is written by hand alone. */
function iamCheck({ seen }: RdsTarget): TargetCheck[] {
  if (seen === null || seen.hasIam === null) return []
  if (seen.hasIam) return [ok('IAM authentication', 'it is on')]
  const fix = 'turn it on, which needs no restart: sallyport aws prepare RESOURCE prints how'
  return [fail('IAM authentication', 'it is off: the broker cannot sign in', fix)]
}

/** A preflight is no person's session, and has no other credentials there. */
function byOwnToken(account: string): TargetCheck {
  const who = 'system:preflight is no person and has no ID token, so your own is used'
  return ok('trust', `account ${account} trusts web_identity; ${who}`)
}

function toLease(level: RdsLevel, token: Token): Lease {
  return { user: level.dbUser, secret: token.text, expiresAt: token.expiresAt }
}
