import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../../proxy/session.ts'
import type { Access } from '../../../access/access.ts'
import { isOverseer } from '../../../access/core.ts'
import type { Grant } from '../../../access/grants/grant.ts'
import type { LikeUse, RequestView } from '../../../contract/requests.ts'
import type { Login } from '../../../identity/principal.ts'
import { route } from '../../../identity/route.ts'
import { addUse, noUse, type RecordedUse, useOfEntry } from '../../../recordings/recorded-use.ts'
import type { Recordings } from '../../../recordings/recordings.ts'
import type { GrantSession, ReadGrantSessions } from '../../../sessions/session-usage.ts'
import { KeyedMutex } from '../../../telemetry/keyed-mutex.ts'

export interface RequestUseDeps {
  readonly access: Pick<Access, 'requestById' | 'likeGrants' | 'smallerLevel'>
  readonly recordings: Pick<Recordings, 'read'>
  readonly sessionsOf: ReadGrantSessions
  now(): number
}

const mostGrants = 5
/** Of one answer. What is beyond is left out, and the answer says so. */
const limits = { sessionsOfGrant: 20, entries: 100_000, ms: 1000 } as const
const mostKept = 1000

type Limits = Readonly<Record<keyof typeof limits, number>>

/** What like grants were used for: counts alone, read of recordings whose content those who decide may not see. */
export const requestUseRoutes =
  (deps: RequestUseDeps, within: Limits = limits): FastifyPluginAsync =>
  async (app) => {
    const mutex = new KeyedMutex()
    const kept = new Map<string, RecordedUse>()
    route(app, 'GET /api/v1/requests/:id/use', async ({ login, params }) => {
      const request = await deps.access.requestById(login, params.id)
      if (!mayKnow(login, request))
        throw new BrokerError('ROLE_REQUIRED', 'only those who may decide a request see what like grants were used for')
      return await mutex.run(login.principal.id, () => useOf(new Reading(deps, kept, within), deps, request))
    })
  }

function mayKnow(login: Login, { canDecide, decisions, beneficiary }: RequestView): boolean {
  const self = login.principal.id
  return canDecide || isOverseer(login) || beneficiary.id === self || decisions.some(({ by }) => by.id === self)
}

async function useOf(reading: Reading, { access }: RequestUseDeps, request: RequestView): Promise<LikeUse> {
  const grants = []
  for (const grant of await access.likeGrants(request, mostGrants)) grants.push(await reading.ofGrant(grant))
  const isUsed = grants.some(({ requests }) => requests > 0)
  const isHarmless = grants.every(({ writes, isWhole }) => writes === 0 && isWhole)
  return { grants, smaller: isUsed && isHarmless ? await access.smallerLevel(request) : null }
}

/** For one answer. */
class Reading {
  readonly #deps: RequestUseDeps
  /** Of sessions that are over. */
  readonly #kept: Map<string, RecordedUse>
  readonly #limits: Limits
  readonly #since = performance.now()
  #entries = 0

  constructor(deps: RequestUseDeps, kept: Map<string, RecordedUse>, within: Limits) {
    this.#deps = deps
    this.#kept = kept
    this.#limits = within
  }

  get #isFull(): boolean {
    return this.#entries >= this.#limits.entries || performance.now() - this.#since >= this.#limits.ms
  }

  async ofGrant({ id, startsAt, endsAt, endedAt }: Grant): Promise<LikeUse['grants'][number]> {
    const { sessions, isWhole: hasAll } = await this.#deps.sessionsOf(id, this.#limits.sessionsOfGrant)
    const now = this.#deps.now()
    let use = noUse
    let isWhole = hasAll
    for (const session of sessions) {
      const found = await this.#ofSession(session)
      if (found) use = addUse(use, found)
      else isWhole = false
    }
    const usedMs = openMs(sessions, now)
    return { grantId: id, startsAt, endsAt: endedAt ?? endsAt, sessions: sessions.length, usedMs, ...use, isWhole }
  }

  /** Undefined: it was not read to its end. */
  async #ofSession({ id, endedAt, entries }: GrantSession): Promise<RecordedUse | undefined> {
    if (endedAt !== null && entries === 0) return noUse
    const known = this.#kept.get(id)
    if (known) return known
    let use = noUse
    try {
      for await (const { entry } of this.#deps.recordings.read(id)) {
        if (this.#isFull) return undefined
        this.#entries++
        use = addUse(use, useOfEntry(entry))
      }
    } catch (error) {
      if (error instanceof BrokerError) return undefined // it was removed, or is kept by a daemon that does not answer
      throw error
    }
    if (endedAt !== null) this.#keep(id, use)
    return use
  }

  #keep(id: string, use: RecordedUse): void {
    this.#kept.set(id, use)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest)
  }
}

/** How long some of them was open, ms: what overlaps counts once. */
function openMs(sessions: readonly GrantSession[], now: number): number {
  let total = 0
  let until = 0
  for (const { startedAt, endedAt } of sessions.toSorted((a, b) => a.startedAt - b.startedAt)) {
    const end = endedAt ?? now
    total += Math.max(0, end - Math.max(startedAt, until))
    until = Math.max(until, end)
  }
  return total
}
