import type { EndReason } from '../../../proxy/session.ts'
import type { AuditEvent, AuditType } from '../../audit/audit.ts'
import { digestOf } from '../../audit/digest.ts'
import type { StoredGrant } from '../rows/rows.ts'
import type { Grant } from './grant.ts'

/** How a grant ends before it is stored. */
export interface GrantEnd {
  readonly state: Exclude<Grant['state'], 'active'>
  readonly reason: EndReason
  /** Shown to clients that use it. */
  readonly text: string
  readonly event: AuditType
  /** Principal id, or `system`. */
  readonly actor: string
  /** Free text for the log. */
  readonly auditText?: Readonly<Record<string, string>>
}

export const noSignature = 'the grant has no valid signature, so it is refused'

export function expiry({ endsAt }: Pick<Grant, 'endsAt'>): GrantEnd {
  return { state: 'expired', reason: 'grant-expired', text: expiredAt(endsAt), event: 'grant.expired', actor: 'system' }
}

/** For clients that used it. @param endsAt epoch milliseconds */
export function expiredAt(endsAt: number): string {
  return `the grant expired at ${new Date(endsAt).toISOString()}; request a new one`
}

export type Ended = Pick<GrantEnd, 'state' | 'reason' | 'text'>

export function revocation(by: string | undefined, why: string | undefined): Ended {
  const who = by ? ` by ${by}` : ''
  return { state: 'revoked', reason: 'grant-revoked', text: `access was revoked${who}${because(why)}` }
}

export function giveBack(why: string | undefined): Ended {
  return { state: 'returned', reason: 'grant-returned', text: `you returned the access${because(why)}` }
}

function because(why: string | undefined): string {
  return why ? `: ${why}` : ''
}

/** Every `grant.*` event names the grant, its window and its version, so that memory can be rebuilt from the log. */
export function grantEvent(
  type: AuditType,
  actor: string,
  grant: StoredGrant,
  text: Readonly<Record<string, string>> = {},
  more: AuditEvent['fields'] = {},
): AuditEvent {
  return {
    type,
    actor,
    fields: {
      grant: grant.id,
      request: grant.requestId,
      principal: grant.principalId,
      resource: grant.resourceId,
      target: grant.targetId,
      level: grant.level,
      ...(grant.loginName === null ? {} : { login_name: grant.loginName }),
      ...(grant.sessionTags === null ? {} : { session_tags: digestOf(grant.sessionTags) }),
      rule: grant.ruleName,
      rule_digest: grant.ruleDigest,
      starts_at: grant.startsAt,
      ends_at: grant.endsAt,
      version: grant.version,
      ...more,
    },
    ...(Object.keys(text).length > 0 ? { text } : {}),
  }
}

/** How a grant ended, as its event tells it; undefined for any other event. */
export function endOf({ type, fields, text }: AuditEvent): Ended | undefined {
  switch (type) {
    case 'grant.revoked':
      return revocation(text?.name, text?.reason)
    case 'grant.returned':
      return giveBack(text?.reason)
    case 'grant.ended':
      return { state: 'revoked', reason: reasonOf(fields.reason), text: text?.reason ?? 'the access has ended' }
    case 'grant.expired':
      return { state: 'expired', reason: 'grant-expired', text: expiredAt(Number(fields.ends_at)) }
    case 'grant.tampered':
      return { state: 'revoked', reason: 'grant-revoked', text: noSignature }
    default:
      return undefined
  }
}

const reasons = [
  'grant-revoked',
  'grant-returned',
  'grant-expired',
  'principal-inactive',
  'resource-gone',
  'resource-replaced',
  'rule-changed',
] as const satisfies readonly EndReason[]

/** @param value as a row or an event has it */
export function reasonOf(value: unknown): EndReason {
  return reasons.find((reason) => reason === value) ?? 'grant-revoked'
}
