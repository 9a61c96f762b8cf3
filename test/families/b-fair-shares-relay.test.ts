/** B3: sessions give the event loop back after a bounded slice, in turn. */
import t from 'tap'
import { FairShares } from '../../proxy/relay/fair-shares.ts'

/** Each reading takes a millisecond of a clock of our own. */
function start() {
  let now = 0
  const shares = new FairShares(() => now)
  const read: string[] = []
  const waiting = new Set<string>()
  const take = (name: string): void => {
    read.push(name)
    now += 1
    const goOn = () => {
      waiting.delete(name)
    }
    if (shares.take(goOn)) waiting.add(name)
  }
  return { read, take, waiting }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('B3: while there is time nobody waits', async (t) => {
  const { take, waiting } = start()
  for (let i = 0; i < 50; i++) {
    take(`session ${i % 4}`)
    if (i % 4 === 3) await turn()
  }
  t.equal(waiting.size, 0)
})

t.test('B3: of many that are read in one turn, no more go on than fit a slice', async (t) => {
  const { take, waiting } = start()
  for (let i = 0; i < 100; i++) take(`session ${i}`)
  t.ok(waiting.size > 80, `${waiting.size} wait`)
  const before = waiting.size
  await turn()
  t.ok(before - waiting.size <= 10, `${before - waiting.size} went on in one turn`)
  t.ok(before - waiting.size >= 4)
})

t.test('B3: everyone has a turn, first come, first served, and nobody stays behind', async (t) => {
  const { take, waiting } = start()
  for (let i = 0; i < 100; i++) take(`session ${i}`)
  const first = [...waiting][0] ?? ''
  const last = [...waiting].at(-1) ?? ''
  await turn()
  t.notOk(waiting.has(first))
  t.ok(waiting.has(last))
  for (let i = 0; i < 100 && waiting.size > 0; i++) await turn()
  t.equal(waiting.size, 0)
})

t.test('B3: one that is read all the time goes behind those who wait', async (t) => {
  const { take, waiting } = start()
  for (let i = 0; i < 40; i++) take(`session ${i}`)
  await turn()
  take('again')
  t.ok(waiting.has('again'), 'though this turn has time left')
  t.equal([...waiting].at(-1), 'again')
})
