import type { Login } from '../identity/principal.ts'
import { type Core, isOverseer, principalReader } from './core.ts'
import { concerns } from './requests/decide-request.ts'
import { fillsStage } from './requests/request.ts'

/** Whether what is listed of it is listed for this person. */
export type Audience = (login: Pick<Login, 'roles' | 'principal'>) => boolean

/** What is not there, or not the broker's, is for those who see everything. */
const overseers: Audience = (login) => isOverseer(login)

/** For whom the list of requests has one. Reads each of its people once, however many are asked about. */
export async function audienceOfRequest(core: Core, id: string): Promise<Audience> {
  const found = await core.store.request(id)
  const request = found && (await core.requests.judge(found))
  if (!request) return overseers
  const read = principalReader(core)
  const [requester, beneficiary] = await Promise.all([read(request.requesterId), read(request.beneficiaryId)])
  if (!requester || !beneficiary) return overseers
  const deciders = new Set((await core.store.decisions(id)).map(({ principalId }) => principalId))
  return (login) =>
    isOverseer(login) ||
    deciders.has(login.principal.id) ||
    concerns({ request, requester, beneficiary }, login.principal)
}

/** For whom the lists of grants and sessions have one, and the sessions under it. */
export async function audienceOfGrant(core: Core, id: string): Promise<Audience> {
  const reading = await core.grants.read(id)
  if (!reading) return overseers
  const { principalId, ruleName } = reading.grant
  const stages = core.inForce.rules.rules.find(({ name }) => name === ruleName)?.stages ?? []
  const holder = stages.length === 0 ? undefined : await core.identity.principal(principalId)
  return (login) =>
    isOverseer(login) ||
    login.principal.id === principalId ||
    (holder !== undefined && stages.some((stage) => fillsStage(stage, login.principal, holder)))
}
