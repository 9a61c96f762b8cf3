import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'

const firstSliceMs = 500

/** Looks for a counterexample of one property. @param untilMs on the clock of `Date.now` @returns runs @throws Error with a counterexample */
export async function runProperty(property: fc.IRawProperty<unknown>, untilMs: number): Promise<number> {
  let runs = 0
  let sliceMs = firstSliceMs
  while (Date.now() < untilMs) {
    const result = await fc.check(property, { numRuns: 1_000_000, interruptAfterTimeLimit: sliceMs })
    if (result.failed && result.numRuns === 0 && result.interrupted)
      sliceMs *= 2 // too short for one run: a listener on a busy machine
    else if (result.failed) throw new Error(fc.defaultReportMessage(result))
    runs += result.numRuns
    await setImmediate() // the runner hears from this process between the slices
  }
  if (runs === 0) throw new Error('not one run was done in that time')
  return runs
}
