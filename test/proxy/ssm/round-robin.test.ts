import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { RoundRobin, Share, type Taker } from '../../../proxy/ssm/round-robin.ts'

/** Turns of a clock that only moves when a test says so. */
function start() {
  const clock = { at: 0 }
  return { clock, turns: new RoundRobin(() => clock.at) }
}

t.test('what comes while a turn has time is handled; after that only what is little', (t) => {
  const { clock, turns } = start()
  const [flood, typist] = [new Share(), new Share()]
  t.equal(turns.mustWait(flood, 1144), false)
  clock.at += 0.9
  t.equal(turns.mustWait(flood, 1144), false)
  clock.at += 0.1
  t.equal(turns.mustWait(flood, 1144), true)
  for (const bytes of [250, 121, 250, 121]) t.equal(turns.mustWait(typist, bytes), false)
  t.equal(turns.mustWait(typist, 300), true, 'more than a kilobyte in 20 ms')
  clock.at += 21
  t.equal(turns.mustWait(typist, 121), false)
  t.end()
})

t.test('those that wait go on in the order of waiting, no more in a turn than there is time for', async (t) => {
  const { clock, turns } = start()
  const taken: number[] = []
  const take = (i: number) => {
    taken.push(i)
    clock.at += 0.6
  }
  const takers = [0, 1, 2, 3].map((i): Taker => ({ take: () => take(i) }))
  for (const taker of takers) turns.wait(taker)
  t.same(taken, [], 'not before all else had its turn')
  await nextTurn()
  t.same(taken, [0, 1])
  await nextTurn()
  t.same(taken, [0, 1, 2, 3])
})

t.test('what one has set off is done before the next one, and who has left gets no turn', async (t) => {
  const { turns } = start()
  const done: string[] = []
  const taker = (name: string): Taker => ({
    take: (most) => {
      done.push(`${name} ${most}`)
      process.nextTick(() => done.push(`after ${name}`))
    },
  })
  const left = taker('left')
  for (const one of [taker('a'), left, taker('b')]) turns.wait(one)
  turns.leave(left)
  await nextTurn()
  t.same(done, ['a 16', 'after a', 'b 16', 'after b'])
})

t.test('one that waits again comes after the others', async (t) => {
  const { clock, turns } = start()
  const taken: string[] = []
  const greedy: Taker = {
    take: () => {
      taken.push('greedy')
      clock.at += 1
      if (taken.length < 5) turns.wait(greedy)
    },
  }
  turns.wait(greedy)
  turns.wait({ take: () => void taken.push('other') })
  for (const _ of [1, 2, 3, 4, 5]) await nextTurn()
  t.same(taken, ['greedy', 'other', 'greedy', 'greedy', 'greedy'])
})

t.test('no more than eight in a turn, although they do nothing', async (t) => {
  const { turns } = start()
  let taken = 0
  const take = () => {
    taken += 1
  }
  for (let i = 0; i < 20; i += 1) turns.wait({ take })
  await nextTurn()
  t.equal(taken, 8)
  await nextTurn()
  await nextTurn()
  t.equal(taken, 20)
})
