import type { Chore } from '../kinds/module.ts'
import { inLane } from '../store/lanes.ts'
import { repeat } from '../telemetry/repeat.ts'
import { closeLostDaemons } from './lost-daemons.ts'
import type { Parts } from './parts.ts'

/** Starts the periodic work of the daemon and its kinds. What is done once for the installation, the daemon that leads does. */
export function startChores(parts: Parts, closing: AsyncDisposableStack): void {
  const { leader, logger } = parts
  for (const { what, everyMs, per, run } of choresOf(parts)) {
    const work = async (signal: AbortSignal) => {
      if (per === 'daemon' || leader.isLeader) await inLane('books', () => run(signal))
    }
    closing.defer(repeat(what, everyMs, work, logger))
  }
}

function choresOf(parts: Parts): Chore[] {
  const { access, counts, identity, inventory, kinds, pushing, sessions, storeWatch, validationChores } = parts
  return [
    { what: 'look for lost daemons', everyMs: 2000, per: 'installation', run: () => closeLostDaemons(parts) },
    { what: 'sweep of sessions', everyMs: 1000, per: 'daemon', run: () => sessions.sweep() },
    { what: 'upkeep of sessions', everyMs: 15_000, per: 'daemon', run: () => sessions.tidy() },
    { what: 'look at the store', everyMs: 1000, per: 'daemon', run: () => storeWatch.look() },
    { what: 'exchange of counts', everyMs: 1000, per: 'daemon', run: () => counts.exchange() },
    { what: 'sweep of counts', everyMs: 15_000, per: 'installation', run: () => counts.sweep() },
    { what: 'sweep of access', everyMs: 15_000, per: 'daemon', run: () => access.sweep() },
    { what: 'upkeep of identity', everyMs: 15_000, per: 'daemon', run: () => identity.tidy() },
    { what: 'sweep of identity', everyMs: 15_000, per: 'installation', run: () => identity.sweep() },
    { what: 'probing of logins', everyMs: 15_000, per: 'installation', run: (signal) => identity.probe(signal) },
    { what: 'grants that AWS holds', everyMs: 250, per: 'installation', run: (signal) => pushing.run(signal) },
    {
      what: 'groups of Identity Center',
      everyMs: 1000,
      per: 'installation',
      run: (signal) => pushing.groups.run(signal),
    },
    ...inventory.chores,
    ...validationChores,
    ...kinds.running.flatMap(({ chores = [] }) => chores),
  ]
}
