import { hostname } from 'node:os'
import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config/config.ts'
import { Daemons, type DaemonsDeps } from '../daemons/daemons.ts'
import { homeId } from '../daemons/home.ts'
import { newTokenId } from '../store/ids.ts'
import type { Keyring } from '../store/keyring.ts'
import { inLane } from '../store/lanes.ts'
import { repeat } from '../telemetry/repeat.ts'

/** Until it has cut its sessions, which it does at `store.grace`, nobody may close them in its stead. */
const marginMs = 5000
const leastPatienceMs = 15_000

/** Registers this daemon among those on the store. It leaves them once its sessions have ended. */
export async function joinDaemons(
  { server, stateDir, store }: Pick<Config, 'server' | 'stateDir' | 'store'>,
  deps: Omit<DaemonsDeps, 'own' | 'keyring'> & { readonly keyring: Keyring },
  closing: AsyncDisposableStack,
): Promise<Daemons> {
  const { clock, keyring, logger } = deps
  const daemons = await Daemons.join({
    ...deps,
    own: {
      id: homeId(stateDir),
      run: newTokenId(),
      name: hostname(),
      url: server.peerUrl,
      version: manifest.version,
      started_at: clock.now(),
      patience_ms: Math.max(store.graceMs + marginMs, leastPatienceMs),
      key_ids: Object.values(keyring.ids).join(' '),
    },
  })
  closing.defer(() =>
    daemons.leave().catch((error: unknown) => {
      logger.warn({ err: error }, 'the other daemons were not told that this one has ended; they will find it silent')
    }),
  )
  // From now on, since a start may take longer than the others' patience.
  const often = (what: string, everyMs: number, work: () => Promise<void>) =>
    closing.defer(repeat(what, everyMs, () => inLane('books', work), logger))
  often('heartbeat', 1000, () => daemons.beat())
  often('lease of the leader', 2000, () => daemons.lead())
  return daemons
}
