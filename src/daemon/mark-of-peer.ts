import { setTimeout } from 'node:timers/promises'
import type { MarkState } from '../audit/mark/mark-file.ts'
import type { Config } from '../config/config.ts'
import { homeId } from '../daemons/home.ts'
import { beatingRows } from '../daemons/register.ts'
import { Peers } from '../peers/peers.ts'
import type { Keyring } from '../store/keyring.ts'
import { type Db, isShared } from '../store/store.ts'
import { systemClock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'

/** For one that is starting. */
const usualPatienceMs = 30_000
const everyMs = 500

/**
 * How far the log had come, by the memory of another daemon that lives: for a daemon that has none of its own yet. One that is
 * starting is waited for.
 */
export async function markOfPeer(
  config: Config,
  { db, keyring, logger }: { readonly db: Db; readonly keyring: Keyring; readonly logger: Logger },
  patienceMs = usualPatienceMs,
): Promise<MarkState | undefined> {
  if (!isShared(db)) return undefined
  const peers = new Peers({ keyring, clock: systemClock, publicUrl: config.server.publicUrl })
  const self = homeId(config.stateDir)
  const deadline = performance.now() + patienceMs
  for (;;) {
    const living = (await beatingRows(db, keyring)).filter(({ id }) => id !== self)
    for (const peer of living) {
      try {
        const mark = await peers.call(peer, 'mark', {})
        logger.info({ peer: peer.id, name: peer.name, seq: mark.seq }, 'joining: another daemon says where the log is')
        return mark
      } catch (err) {
        logger.warn(
          { err, peer: peer.id, name: peer.name },
          'joining: another daemon could not be asked where the log is',
        )
      }
    }
    if (living.every(({ url }) => url === null) || performance.now() > deadline) return undefined
    await setTimeout(everyMs)
  }
}
