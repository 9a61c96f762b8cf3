import type { Chore } from '../kinds/module.ts'
import { inLane } from '../store/lanes.ts'
import { repeat } from '../telemetry/repeat.ts'
import type { Parts } from './parts.ts'

/** Starts the periodic work of the daemon and its kinds. */
export function startChores(parts: Parts, closing: AsyncDisposableStack): void {
  for (const { what, everyMs, run } of choresOf(parts))
    closing.defer(repeat(what, everyMs, (signal) => inLane('books', () => run(signal)), parts.logger))
}

function choresOf({ access, identity, kinds, sessions, storeWatch }: Parts): Chore[] {
  return [
    { what: 'sweep of sessions', everyMs: 1000, per: 'daemon', run: () => sessions.sweep() },
    { what: 'look at the store', everyMs: 1000, per: 'daemon', run: () => storeWatch.look() },
    { what: 'sweep of access', everyMs: 15_000, per: 'daemon', run: () => access.sweep() },
    { what: 'sweep of identity', everyMs: 15_000, per: 'installation', run: () => identity.sweep() },
    ...kinds.running.flatMap(({ chores = [] }) => chores),
  ]
}
