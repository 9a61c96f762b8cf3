import t from 'tap'
import { timeLeft } from '../../../src/ui/words/en.ts'
import { ago, clockOf, everyForm, exactly, position, size, span, when } from '../../../src/ui/words/times.ts'

const now = Date.UTC(2026, 10, 24, 10, 30)
const year1 = Date.parse('0001-01-01T00:00:00Z')
/** As data of others has it: null, missing, the year 1, what no date can hold. */
const none = [null as unknown as number, undefined as unknown as number, year1, 0, Number.NaN, Number.POSITIVE_INFINITY]

t.test('P-1: a moment that is none is a dash, never a date or thousands of years', async (t) => {
  for (const at of none) {
    t.equal(ago(at, now), '–')
    t.equal(when(at, now), '–')
    t.equal(exactly(at), '–')
    t.equal(everyForm(at), '–')
  }
})

t.test('P-1: a span that is none is a dash; one that is over is no time left', async (t) => {
  for (const ms of [year1 - now, -1, Number.NaN, Number.POSITIVE_INFINITY]) t.equal(span(ms), '–')
  t.equal(timeLeft(year1 - now), 'no time left')
  t.equal(timeLeft(-1), 'no time left')
  t.equal(span(0), '0 s')
})

t.test('P-1: a size that is none is a dash', async (t) => {
  for (const bytes of [Number.NaN, -1, Number.POSITIVE_INFINITY]) t.equal(size(bytes), '–')
  t.equal(size(0), '0 B')
})

t.test('moments and spans as people read them', async (t) => {
  t.equal(ago(now - 5 * 60_000, now), '5 min. ago')
  t.equal(ago(now + 41 * 60_000, now), 'in 41 min.')
  t.equal(span(90 * 60_000), '1 h 30 min')
  t.equal(timeLeft(119_000), '119 s left')
  t.equal(position(3_723_000), '1:02:03')
  t.match(clockOf(now), /^\d\d:30:00\.000$/)
})
