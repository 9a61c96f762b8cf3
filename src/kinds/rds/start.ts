import type { EngineFacts, Lease } from '../../../proxy/session.ts'
import { heldBy, type Kind } from '../../catalog/kind.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { isRdsProxy, readEndpoint } from './endpoint.ts'
import { Leases, type Token } from './lease.ts'
import type { RdsLevel } from './level.ts'
import { RootFiles } from './root-files.ts'
import type { RdsTarget } from './target.ts'

/** Credentials last an hour and are renewed five minutes ahead. */
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
  const { sessions } = parts
  const leases = new Leases(parts)
  const roots = new RootFiles()
  return {
    permit: (held): EngineFacts => {
      const { target, level } = heldBy(kind, held)
      return {
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
    leaseAtHand: ({ facts, held }) => {
      const { target, level } = heldBy(kind, held)
      const token = leases.atHand(facts, target, level)
      return token ? toLease(level, token) : null
    },
    lease: async (sessionId) => {
      const { facts, held } = sessions.known(sessionId)
      const { target, level } = heldBy(kind, held)
      return toLease(level, await leases.token(facts, target, level))
    },
    leaseToEnd: async ({ facts, held }) => {
      const { target, level } = heldBy(kind, held)
      return toLease(level, await leases.tokenToEnd(facts, target, level))
    },
    validate,
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

function toLease(level: RdsLevel, token: Token): Lease {
  return { user: level.dbUser, secret: token.text, expiresAt: token.expiresAt }
}
