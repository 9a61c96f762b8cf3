import t from 'tap'
import { eachOf } from '../../../src/aws/bounded.ts'

t.test('each item once, a few at a time, in their order', async (t) => {
  const begun: number[] = []
  let [running, most] = [0, 0]
  await eachOf([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    begun.push(item)
    running += 1
    most = Math.max(most, running)
    await new Promise(setImmediate)
    running -= 1
  })
  t.same(begun, [1, 2, 3, 4, 5, 6, 7])
  t.equal(most, 3)
  await eachOf([], 3, () => Promise.reject(new Error('there is nothing to do')))
})

t.test('the first error ends it: what is under way is awaited, the rest is not begun', async (t) => {
  const begun: number[] = []
  const ended: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    if (item === 2) throw new Error('two')
    await new Promise(setImmediate)
    ended.push(item)
  }
  await t.rejects(eachOf([1, 2, 3, 4, 5], 3, work), { message: 'two' })
  t.same(begun, [1, 2, 3])
  t.same(ended, [1, 3])
})
