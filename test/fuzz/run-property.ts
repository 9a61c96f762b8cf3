import { setImmediate } from 'node:timers/promises'
import fc from '../fast-check.ts'

const usualSliceMs = 500

/**
 * Looks for a counterexample of one property.
 * @param untilMs on the clock of `Date.now`; a run that has begun by then is waited for
 * @returns runs
 * @throws Error with a counterexample
 */
export async function runProperty<T>(
  property: fc.IRawProperty<T>,
  untilMs: number,
  sliceMs = usualSliceMs,
): Promise<number> {
  let runs = 0
  const { seed } = fc.readConfigureGlobal()
  for (let slice = 0; Date.now() < untilMs; slice += 1) {
    const result = await fc.check(forAbout(sliceMs, property), {
      numRuns: 1_000_000,
      ...(seed !== undefined && { seed: seed + slice }),
    })
    if (result.failed) throw new Error(fc.defaultReportMessage(result))
    runs += result.numRuns
    await setImmediate() // the runner hears from this process between the slices
  }
  if (runs === 0) throw new Error('not one run was done in that time')
  return runs
}

/**
 * No run begins after that time, except the first. fast-check’s own limit leaves a run behind that is under way: a listener that hangs
 * would go unnoticed, and what is left behind would disturb the next run.
 */
function forAbout<T>(ms: number, property: fc.IRawProperty<T>): fc.IRawProperty<T> {
  let untilMs: number | undefined
  const isOver = () => {
    untilMs ??= Date.now() + ms
    return Date.now() > untilMs
  }
  const interrupted = new fc.PreconditionFailure(true)
  return {
    isAsync: () => property.isAsync(),
    generate: (random, runId) => property.generate(random, runId),
    shrink: (value) => property.shrink(value),
    runBeforeEach: () => property.runBeforeEach(),
    runAfterEach: () => property.runAfterEach(),
    run: (value) => {
      if (!isOver()) return property.run(value)
      return property.isAsync() ? Promise.resolve(interrupted) : interrupted
    },
  } as fc.IRawProperty<T>
}
