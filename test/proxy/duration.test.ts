import t from 'tap'
import { formatDuration, parseDuration, parseDurationSum } from '../../proxy/duration.ts'
import fc from '../fast-check.ts'

t.test('a duration of the configuration is one count and one unit', async (t) => {
  t.equal(parseDuration('250ms'), 250)
  t.equal(parseDuration('0s'), 0)
  t.equal(parseDuration('90m'), 5_400_000)
  t.equal(parseDuration('99999999d'), 99_999_999 * 86_400_000)
  for (const wrong of ['', '5', 's', '1.5h', '-1s', '1h30m', ' 1s', '1s\n', '1w', '100000000s'])
    t.equal(parseDuration(wrong), undefined, JSON.stringify(wrong))
})

t.test('people may add units up', async (t) => {
  t.equal(parseDurationSum('2h'), 7_200_000)
  t.equal(parseDurationSum('1h30m'), 5_400_000)
  t.equal(parseDurationSum('0s'), 0)
  for (const wrong of ['', '90', 'h', '1h30', '5ms', '1.5h', '1000000s'])
    t.equal(parseDurationSum(wrong), undefined, JSON.stringify(wrong))
})

t.test('durations are written in the largest units that fit', async (t) => {
  t.equal(formatDuration(0), '0s')
  t.equal(formatDuration(5_400_000), '1h30m')
  t.equal(formatDuration(86_400_000 + 1), '1d1ms')
  fc.assert(fc.property(fc.nat({ max: 100_000_000 }), (s) => parseDurationSum(formatDuration(s * 1000)) === s * 1000))
})
