/** What is kept of the queue of events: probes that came, of those that were sent. */
import t from 'tap'
import { EventProblem } from '../../../../src/aws/events/read-event.ts'
import { createEventNotes } from '../../../../src/inventory/events/event-notes.ts'
import { openStore } from '../../../../src/store/store.ts'
import { createClock } from '../../../sandbox/clock.ts'
import { keys } from '../inventory-setup.ts'

t.test('a probe that was sent here has come; any other leaves no row', async (t) => {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const notes = createEventNotes({ db, clock: createClock(), keyring: keys })
  const sent = notes.newProbe()
  const other = notes.newProbe()
  await t.rejects(notes.probeCame(sent.id, other.mac), EventProblem)
  await t.rejects(notes.probeCame('0123456789abcdef', ''), EventProblem)
  t.equal(await notes.probeCameAt(sent.id), null)
  t.same(await db.selectFrom('event_notes').selectAll().execute(), [])
  await notes.probeCame(sent.id, sent.mac)
  t.type(await notes.probeCameAt(sent.id), 'number')
})
