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
  /** Remembers what was found. */
  keep(report: TargetReport): Promise<unknown>
}

export interface TargetCheckAsk {
  readonly resource: string
  /** Left out: the first one. */
  readonly level?: string | undefined
  /** For a level that holds `{login}`. */
  readonly login?: string | undefined
}

/**
 * Signs in to one target as one level, and says what is missing there, or wider than the level. Recorded and audited.
 * @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, LEVEL_UNKNOWN, UNSUPPORTED, RATE_LIMITED, AUDIT_UNAVAILABLE …
 */
export type TargetCheckService = (login: Login, client: ClientOrigin, ask: TargetCheckAsk) => Promise<TargetReport>

/** Of several levels that are looked at one after the other, one without a login name must not hide the others. */
function failedAt(error: unknown): TargetCheck {
  if (!(error instanceof BrokerError) || error.code !== 'LOGIN_NAME_UNUSABLE') throw error
  return {
    check: 'login name',
    outcome: 'fail',
    detail: error.message,
    fix: error.hint ?? 'give another one: --login NAME',
  }
}

export function createTargetCheck({
  access,
  audit,
  preflights,
  validatorOf,
  keep,
}: TargetCheckDeps): TargetCheckService {
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
    const personal = ask.login === undefined ? {} : { loginName: ask.login }
    const { sessionId, result } = await preflights
      .run({ resourceId: id, kind, level, login, client, ...personal }, validate)
      .catch((error: unknown) => ({ sessionId: '', result: [failedAt(error)] }))
    const failed = result.filter(({ outcome }) => outcome === 'fail').map(({ check }) => check)
    await audit.append({
      type: 'resource.validated',
      actor: login.principal.id,
      fields: {
        resource: id,
        level,
        session: sessionId,
        failed,
        ...(ask.login === undefined ? {} : { login_name: ask.login }),
      },
    })
    const report = { resource: id, level, levels, session: sessionId, ok: failed.length === 0, checks: [...result] }
    await keep(report)
    return report
  }
}
