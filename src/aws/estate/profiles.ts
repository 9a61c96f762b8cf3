import { BrokerError } from '../../../proxy/session.ts'
import { iamCaller } from './iam.ts'
import type { AwsPlace, EstateDeps } from './place-caller.ts'
import { readRoles } from './roles.ts'

/** The role that an instance profile gives to instances, where it may do more than anyone on them should. */
export interface ProfilePowers {
  /** ARN. */
  readonly role: string
  /** Names of the policies that allow everything. */
  readonly admin: readonly string[]
  /** What lets it take any other permission. */
  readonly escalation: readonly string[]
  /** Whether a permissions boundary takes something away. */
  readonly isBounded: boolean
}

/**
 * The powerful instance profiles of an account, by their ARNs. What was read is kept for a day, since roles are read for themselves more often.
 * @returns null where the broker may not read roles: then nothing is known of them
 * @throws BrokerError AWS_UNAVAILABLE; the signal's reason
 */
export type ReadProfiles = (
  place: Pick<AwsPlace, 'partition' | 'account'>,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, ProfilePowers> | null>

interface Kept {
  readonly until: number
  readonly found: ReadonlyMap<string, ProfilePowers> | null
}

const keptMs = 86_400_000
const deniedMs = 3_600_000
const mostAccounts = 10_000

/** @param now epoch milliseconds */
export function createProfileReader(deps: EstateDeps, now: () => number): ReadProfiles {
  const at = iamCaller(deps)
  const kept = new Map<string, Kept>()
  const reading = new Map<string, Promise<Kept>>()
  const read = async (place: Pick<AwsPlace, 'partition' | 'account'>, signal: AbortSignal): Promise<Kept> => {
    const found = await readPowers(at(place), place.account, signal)
    // Spread, so that not all accounts are read again at once.
    const lasts = found === null ? deniedMs : keptMs
    return { until: now() + lasts * (0.75 + Math.random() / 4), found }
  }
  return async (place, signal) => {
    const { account } = place
    const known = kept.get(account)
    if (known && now() < known.until) return known.found
    const under = reading.get(account) ?? read(place, signal).finally(() => reading.delete(account))
    reading.set(account, under)
    const fresh = await under
    if (kept.size >= mostAccounts) kept.clear()
    kept.set(account, fresh)
    return fresh.found
  }
}

async function readPowers(call: ReturnType<ReturnType<typeof iamCaller>>, account: string, signal: AbortSignal) {
  try {
    const roles = await readRoles(call, account, { signal })
    const powerful = roles.filter(({ powers }) => powers.admin.length > 0 || powers.escalation.length > 0)
    return new Map(
      powerful.flatMap(({ arn, powers: { admin, escalation }, isBounded, profiles }) =>
        profiles.map((profile) => [profile, { role: arn, admin, escalation, isBounded }] as const),
      ),
    )
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'AWS_DENIED') return null
    throw error
  }
}
