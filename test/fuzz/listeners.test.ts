/** Whole listeners against what hostile sides have said so far, and a little of what they may say. */

import t from 'tap'
import fc from '../fast-check.ts'
import { openListeners } from './listeners/properties.ts'

for (const name of ['mysql', 'postgres'] as const)
  t.test(name, async (t) => {
    const { house, corpus, properties } = await openListeners(name)
    t.teardown(() => house.close())
    for (const [stage, seeds] of Object.entries(corpus))
      t.test(stage, async (t) => {
        for (const [seed, bytes] of seeds)
          for (const cuts of [[], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
            await house.run({ stage, bytes, cuts })
            t.pass(seed)
          }
      })
    for (const [promise, property] of Object.entries(properties))
      t.test(promise, async (t) => {
        await fc.assert(property, { numRuns: 200, endOnFailure: true })
        t.pass('fast-check throws otherwise')
      })
  })
