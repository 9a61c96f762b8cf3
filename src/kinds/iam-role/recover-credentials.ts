import { type EndReason, isCut } from '../../../proxy/session.ts'
import type { AuditLog, AuditRecord } from '../../audit/audit.ts'
import { readLoggedRows } from '../../audit/logged-rows.ts'
import { stsLimits } from '../../aws/aws.ts'
import type { Macs, WithoutMac } from '../../store/signed-rows.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { accountIn, isSigned, issuedRows } from './credential-macs.ts'
import type { CredentialRow, CredentialStore } from './credential-store.ts'

export interface RecoverDeps {
  readonly audit: Pick<AuditLog, 'appendRemoval' | 'search'>
  readonly store: CredentialStore
  readonly keyring: Macs
  readonly clock: Clock
  readonly logger: Logger
}

/** How far clocks may have been apart when the credentials were issued. */
const slackMs = 3_600_000

/**
 * At start: makes the rows of credentials that still work say what the log says, so that no change of the store while it was
 * stopped keeps one from being revoked.
 */
export async function restoreCredentials(deps: RecoverDeps): Promise<void> {
  const { audit, store, keyring, clock, logger } = deps
  const now = clock.now()
  for await (const { id, event, row, problem } of readLoggedRows(
    audit,
    issuedRows(store),
    now - stsLimits.longestMs - slackMs,
  )) {
    if (!(Number(event.fields.works_until) > now)) continue
    if (row && problem === null && isSigned(keyring, 'role_credentials', row)) continue
    await store.restore(await rowOf(deps, id, event))
    if (row && problem === null && row.mac === null) continue // of a version without MACs
    const what = problem ?? 'its signature is not valid'
    logger.error(
      { accessKey: id, problem: what },
      'the row of issued credentials was changed outside the broker; restored',
    )
    const fields = { table: 'role_credentials', row: id, problem: what }
    await audit.appendRemoval({ type: 'store.refused', actor: 'system', fields })
  }
}

/** Not revoked, unless the log says that it is over: what has ended since is found as after any start. */
async function rowOf(deps: RecoverDeps, key: string, event: AuditRecord): Promise<WithoutMac<CredentialRow>> {
  const { at, actor, fields, text } = event
  const field = (name: string) => String(fields[name] ?? '')
  const [settled] = (await deps.audit.search({ types: settling, subject: key, limit: 1 })).events
  return {
    access_key_id: key,
    session_id: field('session'),
    grant_id: field('grant'),
    principal_id: actor,
    credential_id: field('credential') || (await credentialOf(deps, field('session'))),
    resource_id: field('resource'),
    ...accountIn(field('role')),
    role_arn: field('role'),
    session_name: text?.session_name ?? '',
    source_identity: text?.source_identity ?? null,
    issued_at: at,
    works_until: Number(fields.works_until),
    revocable: fields.revocable === true ? 1 : 0,
    doomed_at: settled?.at ?? null,
    doomed_by: settled ? 'session' : null,
    settled_at: settled?.at ?? null,
  }
}

const settling = ['credentials.killed', 'credentials.outlive'] as const

/** Events of earlier versions do not name it. */
async function credentialOf({ audit }: RecoverDeps, session: string): Promise<string> {
  const { events } = await audit.search({ types: ['session.started'], subject: session, limit: 1 })
  return String(events[0]?.fields.credential ?? '')
}

/** Reasons that end sessions without taking access away, so that issued credentials may keep working. */
export const harmless: readonly EndReason[] = ['drain', 'daemon-lost', 'store-lost', 'client-closed', 'idle']

/** True when the log says that the session of credentials was cut: an older row may have been put back since. */
export async function wasCut(audit: Pick<AuditLog, 'search'>, session: string): Promise<boolean> {
  const { events } = await audit.search({ types: ['session.killed', 'session.ended'], subject: session, limit: 10 })
  return events.some(({ type, fields }) => {
    const reason = fields.reason as EndReason
    return type === 'session.killed' || (isCut(reason) && !harmless.includes(reason))
  })
}
