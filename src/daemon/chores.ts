import type { WatchedCertificate } from '../http/tls-files.ts'
import type { Chore } from '../kinds/module.ts'
import { inLane } from '../store/lanes.ts'
import { repeat } from '../telemetry/repeat.ts'
import type { Parts } from './parts.ts'

/** Starts the periodic work of the daemon and its kinds. */
export function startChores(
  parts: Parts,
  certificates: readonly WatchedCertificate[],
  closing: AsyncDisposableStack,
): void {
  for (const { what, everyMs, run } of choresOf(parts, certificates))
    closing.defer(repeat(what, everyMs, (signal) => inLane('books', () => run(signal)), parts.logger))
}

function choresOf(
  { access, identity, kinds, sessions, storeWatch }: Parts,
  certificates: readonly WatchedCertificate[],
): Chore[] {
  return [
    { what: 'sweep of sessions', everyMs: 1000, per: 'daemon', run: () => sessions.sweep() },
    { what: 'look at the store', everyMs: 1000, per: 'daemon', run: () => storeWatch.look() },
    { what: 'sweep of access', everyMs: 15_000, per: 'daemon', run: () => access.sweep() },
    { what: 'sweep of identity', everyMs: 15_000, per: 'installation', run: () => identity.sweep() },
    { what: 'look for new certificates', everyMs: 10_000, per: 'daemon', run: async () => refresh(certificates) },
    ...kinds.running.flatMap(({ chores = [] }) => chores),
  ]
}

function refresh(certificates: readonly WatchedCertificate[]): void {
  for (const certificate of certificates) certificate.refresh()
}
