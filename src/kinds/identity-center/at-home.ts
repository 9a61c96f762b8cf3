import type { Pusher } from '../../pushed/pusher.ts'
import type { KindParts } from '../module.ts'
import { type IdentityCenterPushers, identityCenterPushers } from './pushers.ts'

/** Made once for each region where Identity Center has, or had, its home. */
export function createIdentityCenterAt(
  deps: Pick<Parameters<typeof identityCenterPushers>[0], 'aws' | 'metrics' | 'portalUrl'> & {
    readonly config: KindParts['config']
  },
): (region: string) => IdentityCenterPushers {
  const made = new Map<string, IdentityCenterPushers>()
  return (region) => {
    const { inventory } = deps.config
    const config = {
      ...deps.config,
      inventory: { ...inventory, identityCenter: { region, import: 'manual' as const } },
    }
    const pushers = made.get(region) ?? identityCenterPushers({ ...deps, config })
    made.set(region, pushers)
    return pushers
  }
}

/** Where the membership is at home, which a reload may change for later ones. */
export function atHome(
  { identityCenterAt, identityCenterRegion }: Pick<KindParts, 'identityCenterAt' | 'identityCenterRegion'>,
  choose: (pushers: IdentityCenterPushers) => unknown,
): Pusher {
  const at = (region = identityCenterRegion()) => choose(identityCenterAt(region)) as Pusher
  return {
    get firstPollMs() {
      return at().firstPollMs
    },
    get region() {
      return identityCenterRegion()
    },
    membership: (...of) => at().membership(...of),
    portal: (target) => at().portal(target),
    refuses: (held) => at().refuses(held),
    refusesNow: async (held, signal) => (await at().refusesNow?.(held, signal)) ?? null,
    observeAll: (held, signal) => at().observeAll(held, signal),
    observe: (membership, signal) => at(membership.region).observe(membership, signal),
    begin: (change, signal) => at(change.membership.region).begin(change, signal),
    poll: (ticket, signal) => at().poll(ticket, signal),
  }
}
