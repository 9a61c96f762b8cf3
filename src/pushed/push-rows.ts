import type { AuditEvent, AuditRecord, AuditType } from '../audit/audit.ts'
import { sortedJson, sortedMembers } from '../audit/canonical.ts'
import { signedRows, type WithoutMac } from '../store/signed-rows.ts'
import { keyOf, type Membership } from './membership.ts'
import { newPush, type Ownership, type Push, type PushPhase, pushStates, type Underway } from './push.ts'
import type { PushRow, PushTables } from './push-tables.ts'
import type { PushEventType, PushTold } from './reconcile-ports.ts'

/** What AWS says may be erased without breaking the MAC. */
export const { signRow, isSigned } = signedRows<PushTables>(
  { pushes: ['reason'], identity_center_links: [] },
  sortedMembers,
)

export function pushToRow(push: Push): WithoutMac<PushRow> {
  const { membership, underway } = push
  return {
    id: keyOf(membership),
    kind: membership.kind,
    region: membership.region,
    instance: membership.instance,
    account: membership.account,
    what: membership.what,
    user_id: membership.userId,
    state: push.state,
    ownership: push.ownership,
    external_id: push.externalId,
    begun_at: push.begunAt,
    underway: underway && sortedJson({ ...underway, ticket: { ...underway.ticket } }),
    reason: push.reason,
    lasting: push.isLasting ? 1 : 0,
    wanted_until: push.wantedUntil,
    overdue_since: push.overdueSince,
    check_at: push.checkAt,
    failures: push.failures,
    version: push.version,
  }
}

export function rowToPush(row: WithoutMac<PushRow>): Push {
  const { kind, region, instance, account, what, user_id: userId } = row
  return {
    membership: { kind, region, instance, account, what, userId },
    state: row.state as PushPhase,
    ownership: row.ownership as Ownership | null,
    externalId: row.external_id,
    begunAt: row.begun_at,
    underway: row.underway === null ? null : (JSON.parse(row.underway) as Underway),
    reason: row.reason,
    isLasting: row.lasting === 1,
    wantedUntil: row.wanted_until,
    overdueSince: row.overdue_since,
    checkAt: row.check_at,
    failures: row.failures,
    version: row.version,
  }
}

export const pushEvents = [
  'push.begun',
  'push.granted',
  'push.failed',
  'push.removed',
  'push.outside',
  'push.adopted',
] as const satisfies readonly AuditType[]

/** Every `push.*` event says all that a row has of its membership, so that it can be made anew from the log. */
export function pushEvent(push: Push, told: PushTold | { readonly type: 'adopted' }, actor = 'system'): AuditEvent {
  const { membership, reason } = push
  const more = { ...('to' in told ? { to: told.to } : {}), ...('grants' in told ? { grants: told.grants } : {}) }
  return {
    type: typeOf(told.type),
    actor,
    fields: {
      push: keyOf(membership),
      kind: membership.kind,
      region: membership.region,
      instance: membership.instance,
      account: membership.account,
      of: membership.what,
      user: membership.userId,
      state: push.state,
      ownership: push.ownership,
      external_id: push.externalId,
      begun_at: push.begunAt,
      wanted_until: push.wantedUntil,
      version: push.version,
      ...more,
    },
    ...(reason === null ? {} : { text: { reason } }),
  }
}

function typeOf(type: PushEventType | 'adopted'): AuditType {
  return `push.${type}`
}

/** What the event knew of it. A ticket is not in the log: AWS is asked anew. Undefined for an event of another form. */
export function pushOfEvent({ fields }: Pick<AuditRecord, 'fields'>): Push | undefined {
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : null)
  const number = (name: string) => (typeof fields[name] === 'number' ? fields[name] : null)
  const state = pushStates.find((one) => one === fields.state)
  const [kind, region, instance, what, userId] = ['kind', 'region', 'instance', 'of', 'user'].map(text)
  if (!state || !kind || !region || !instance || !what || !userId) return undefined
  const membership: Membership = { kind, region, instance, account: text('account'), what, userId }
  return {
    ...newPush(membership, number('wanted_until') ?? 0),
    state,
    ownership: text('ownership') as Ownership | null,
    externalId: text('external_id'),
    begunAt: number('begun_at'),
    version: number('version') ?? 0,
  }
}
