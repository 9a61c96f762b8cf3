import type { Test } from 'tap'
import { Daemons } from '../../../src/daemons/daemons.ts'
import { newId, newTokenId } from '../../../src/store/ids.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { type Db, openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { steadyClock } from '../../../src/telemetry/steady-clock.ts'
import { postgresPlace } from '../store/both-stores.ts'

export const keyring = {
  mac: (_: string, text: string) => `m${text.length}`,
  checkMac: (_: string, text: string, mac: string) => mac === `m${text.length}`,
}

/** Daemons on one store, each with clocks of its own that the test moves. */
export async function startDaemons(t: Test, place?: StorePlace) {
  const at = place ?? (await postgresPlace())
  const open = async (): Promise<Db> => {
    const db = await openStore(at)
    t.teardown(() => db.destroy())
    return db
  }
  const db = await open()
  const join = async (options: { id?: string; name?: string; patienceMs?: number; run?: string } = {}) => {
    const clocks = { elapsed: 1_000_000, skew: 0 }
    const metrics = createMetrics()
    const clock = { now: () => Date.now() + clocks.skew }
    const began = performance.now()
    const elapsedMs = () => clocks.elapsed + (performance.now() - began) // as the clock of the store goes on
    const steady = steadyClock(clock, elapsedMs)
    const daemons = await Daemons.join({
      db: at.postgres ? await open() : db,
      keyring,
      clock,
      steadyClock: steady,
      logger: createLogger({ level: 'silent' }),
      metrics,
      own: {
        ...{
          id: options.id ?? newId('dmn'),
          run: options.run ?? newTokenId(),
          name: options.name ?? 'host-a',
          url: null,
        },
        ...{ version: '1', started_at: Date.now(), patience_ms: options.patienceMs ?? 15_000, key_ids: 'k' },
      },
      elapsedMs,
    })
    /** Its own time goes on, with a heartbeat each second. */
    const pass = async (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        clocks.elapsed += 1000
        await daemons.beat()
      }
    }
    return { daemons, clocks, steady, metrics, pass }
  }
  /** As if a daemon had been silent for so long already. */
  const silence = async (id: string, ms: number) => {
    await db
      .updateTable('daemons')
      .set((row) => ({ heartbeat_at: row('heartbeat_at', '-', ms) }))
      .where('id', '=', id)
      .execute()
  }
  const expireLease = () => db.updateTable('leader').set({ expires_at: 1 }).execute()
  const rowOf = (id: string) => db.selectFrom('daemons').selectAll().where('id', '=', id).executeTakeFirst()
  return { db, join, silence, expireLease, rowOf }
}
