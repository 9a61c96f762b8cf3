import { BrokerError, type ClientOrigin } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { TargetCheck, TargetReport } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'
import type { Preflight, Preflights } from '../sessions/preflights.ts'

export interface TargetCheckDeps {
  readonly access: Pick<Access, 'findResource' | 'levelsOf'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly preflights: Preflights
  /** Undefined: the kind has nothing to sign in to. */
  validatorOf(kind: string): ((preflight: Preflight) => Promise<readonly TargetCheck[]>) | undefined
}

export interface TargetCheckAsk {
  readonly resource: string
  /** Left out: the first one. */
  readonly level?: string | undefined
}

/**
 * Signs in to one target as one level, and says what is missing there, or wider than the level. Recorded and audited.
 * @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, LEVEL_UNKNOWN, UNSUPPORTED, RATE_LIMITED, AUDIT_UNAVAILABLE …
 */
export type TargetCheckService = (login: Login, client: ClientOrigin, ask: TargetCheckAsk) => Promise<TargetReport>

export function createTargetCheck({ access, audit, preflights, validatorOf }: TargetCheckDeps): TargetCheckService {
  return async (login, client, ask) => {
    const resource = access.findResource(login, ask.resource)
    const { id, kind } = resource
    const validate = validatorOf(kind)
    if (!validate)
      throw new BrokerError('UNSUPPORTED', `the broker does not sign in to ${id} itself`, {
        hint: 'its account is checked by: sallyport aws validate',
      })
    const levels = [...access.levelsOf(resource).keys()]
    const level = ask.level ?? levels[0]
    if (level === undefined) throw new BrokerError('LEVEL_UNKNOWN', `no entry of levels is for ${id}`)
    if (!levels.includes(level)) throw new BrokerError('LEVEL_UNKNOWN', `${id} has ${levels.join(', ')}, not ${level}`)
    const { sessionId, result } = await preflights.run({ resourceId: id, kind, level, login, client }, validate)
    const failed = result.filter(({ outcome }) => outcome === 'fail').map(({ check }) => check)
    await audit.append({
      type: 'resource.validated',
      actor: login.principal.id,
      fields: { resource: id, level, session: sessionId, failed },
    })
    return { resource: id, level, levels, session: sessionId, ok: failed.length === 0, checks: [...result] }
  }
}
