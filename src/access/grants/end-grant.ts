import { BrokerError } from '../../../proxy/session.ts'
import type { Login, Principal } from '../../identity/principal.ts'
import { type Core, isOverseer, principalReader, type ReadPrincipal } from '../core.ts'
import { fillsStage } from '../requests/request.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { giveBack, revocation } from './grant-events.ts'
import type { GrantReading } from './grant-keeper.ts'

/** Whether this person approves what the grant's rule gives: anyone who may fill one of its stages. */
async function approvesGrant(
  core: Core,
  principal: Principal,
  grant: StoredGrant,
  read: ReadPrincipal,
): Promise<boolean> {
  const rule = core.inForce.rules.rules.find((one) => one.name === grant.ruleName)
  if (!rule || rule.stages.length === 0) return false
  const holder = await read(grant.principalId)
  return holder !== undefined && rule.stages.some((stage) => fillsStage(stage, principal, holder))
}

/** Admins, the approvers of its rule, and its holder. */
export async function mayEndGrant(
  core: Core,
  login: Login,
  grant: StoredGrant,
  read: ReadPrincipal = principalReader(core),
): Promise<boolean> {
  return (
    grant.principalId === login.principal.id ||
    login.roles.includes('admin') ||
    (await approvesGrant(core, login.principal, grant, read))
  )
}

/** Whether a person may watch its sessions: auditors, and the approvers of its rule. */
export async function mayWatchGrant(core: Core, login: Login, grant: StoredGrant): Promise<boolean> {
  if (login.roles.includes('auditor')) return true
  const isOwn = grant.principalId === login.principal.id
  return !isOwn && (await approvesGrant(core, login.principal, grant, principalReader(core)))
}

/**
 * Revokes a grant, or returns one's own. Takes effect before it is stored or audited.
 * @returns the grant as it ended
 * @throws BrokerError NOT_FOUND, ROLE_REQUIRED, STALE when it is over
 */
export async function endGrant(core: Core, login: Login, id: string, why: string): Promise<StoredGrant> {
  const { principal } = login
  const { grant, problem } = await readVisible(core, login, id)
  if (!(await mayEndGrant(core, login, grant)))
    throw new BrokerError('ROLE_REQUIRED', 'only its holder, an approver of its rule or an admin may end a grant')
  if (problem) throw new BrokerError('GRANT_TAMPERED')
  const isOwn = grant.principalId === principal.id
  const how = isOwn
    ? ({ ...giveBack(why), event: 'grant.returned' } as const)
    : ({ ...revocation(principal.name, why), event: 'grant.revoked' } as const)
  const auditText = { name: principal.name, ...(why ? { reason: why } : {}) }
  core.grants.adopt({ grant, problem }, true) // another daemon may have given it a moment ago
  if (!(await core.grants.end(id, { ...how, actor: principal.id, auditText }))) throw await tooLate(core, grant)
  return (await core.grants.read(id))?.grant ?? grant
}

async function tooLate(core: Core, before: StoredGrant): Promise<BrokerError> {
  const { state } = (await core.grants.read(before.id))?.grant ?? before
  return new BrokerError('STALE', `the grant is already ${state === 'active' ? 'over' : state}`)
}

/** One grant, whatever became of it. @throws BrokerError NOT_FOUND also for a grant that this person may not see */
export async function readVisible(core: Core, login: Login, id: string): Promise<GrantReading> {
  const reading = await core.grants.read(id)
  if (reading && (isOverseer(login) || (await mayEndGrant(core, login, reading.grant)))) return reading
  throw new BrokerError('NOT_FOUND', `no grant ${id}`)
}
