import type { BrokerError } from '../../../proxy/session.ts'
import { EventProblem } from '../../aws/events/read-event.ts'
import type { InventoryScope } from '../../contract/inventory.ts'
import { newTokenId } from '../../store/ids.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Db } from '../../store/store.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { EventNote } from './event-tables.ts'

const hour = 3_600_000
const queueName = 'queue'
const probePurpose = 'probe of the queue of events'
const probeName = (id: string) => `probe/${id}`

export interface EventNotesDeps {
  readonly db: Db
  readonly clock: Clock
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac'>
}

/** How the queue stands, for people at any daemon. */
export function createEventNotes({ db, clock, keyring }: EventNotesDeps) {
  let last: EventNote | undefined
  const put = async (note: EventNote) => {
    const { name, ...members } = note
    await db
      .insertInto('event_notes')
      .values(note)
      .onConflict((conflict) => conflict.column('name').doUpdateSet(members))
      .execute()
  }
  const find = async (name: string) =>
    await db.selectFrom('event_notes').selectAll().where('name', '=', name).executeTakeFirst()
  return {
    /** Writes where it is news, else once an hour. @param problem null: the queue is read */
    async queueIs(problem: BrokerError | null): Promise<void> {
      const note = {
        name: queueName,
        noted_at: clock.now(),
        error: problem?.message ?? null,
        fix: problem === null ? null : (problem.hint ?? "see the daemon's log"),
      }
      if (last && last.error === note.error && note.noted_at - last.noted_at < hour) return
      await put(note)
      last = note
    },
    newProbe(): { readonly id: string; readonly mac: string } {
      const id = newTokenId()
      return { id, mac: keyring.mac(probePurpose, id) }
    },
    /** @throws EventProblem for one that was not made here: anyone who can write to the queue can make up any number of them */
    async probeCame(id: string, mac: string): Promise<void> {
      if (!keyring.checkMac(probePurpose, id, mac))
        throw new EventProblem('a probe that this installation has not sent')
      await db
        .deleteFrom('event_notes')
        .where('name', 'like', probeName('%'))
        .where('noted_at', '<', clock.now() - hour)
        .execute()
      await put({ name: probeName(id), noted_at: clock.now(), error: null, fix: null })
    },
    /** Epoch milliseconds; null: it has not come. */
    probeCameAt: async (id: string): Promise<number | null> => (await find(probeName(id)))?.noted_at ?? null,
    /** As what is read in passes is shown. */
    async scope(): Promise<InventoryScope> {
      const note = await find(queueName)
      const error = note?.error ?? null
      return {
        scope: 'events',
        organization: null,
        state: note === undefined ? 'waiting' : error === null ? 'good' : 'failed',
        goodAt: note && error === null ? note.noted_at : null,
        triedAt: note?.noted_at ?? null,
        requestedAt: null,
        ...{ resources: 0, missing: 0, error, fix: note?.fix ?? null, progress: null, units: null },
      }
    },
  }
}

export type EventNotes = ReturnType<typeof createEventNotes>
