/** How the fuzzer spends its time: what a property needs of it is not cut off. */

import t from 'tap'
import fc from '../fast-check.ts'
import { waitUntil } from '../wait-until.ts'
import { runProperty } from './run-property.ts'

/** Longer than a slice. */
const aWhile = async () => {
  const since = Date.now()
  await waitUntil(() => Date.now() > since + 20)
}

t.test('a run that has begun is over before the next begins, however short the slices are', async (t) => {
  let running = 0
  let most = 0
  const property = fc.asyncProperty(fc.nat(), async () => {
    running += 1
    most = Math.max(most, running)
    await aWhile()
    running -= 1
  })
  const runs = await runProperty(property, Date.now() + 200, 1)
  t.ok(runs > 0)
  t.match({ running, most }, { running: 0, most: 1 })
})

t.test('a run that fails after its slice is a counterexample', async (t) => {
  const property = fc.asyncProperty(fc.constant('slow'), async () => {
    await aWhile()
    throw new Error('too late')
  })
  await t.rejects(runProperty(property, Date.now() + 10_000, 1), { message: /Counterexample: \["slow"\]/ })
})

t.test('quick properties have as many runs as fit in', async (t) => {
  let runs = 0
  const property = fc.property(fc.nat(), () => {
    runs += 1
  })
  t.equal(await runProperty(property, Date.now() + 50, 1), runs)
  t.ok(runs > 1)
  const failing = fc.property(fc.constant(3), (n) => n !== 3)
  await t.rejects(runProperty(failing, Date.now() + 10_000, 1), { message: /Counterexample: \[3\]/ })
})

t.test('no time at all is reported', async (t) => {
  await t.rejects(
    runProperty(
      fc.property(fc.nat(), () => {}),
      Date.now() - 1,
    ),
    { message: /not one run/ },
  )
})
