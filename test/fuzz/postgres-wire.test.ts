import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'

/** How long to look for a counterexample of all properties together; 0: a fixed number of runs. */
const fuzzSeconds = Number(process.env.SALLYPORT_FUZZ_SECONDS ?? 0)
const sliceMs = 500

t.setTimeout(240_000 + fuzzSeconds * 2000)
const properties = postgresProperties(await loadPostgresCodec(import.meta.resolve('../../proxy/wire/postgres/')))
const share = (fuzzSeconds * 1000) / Object.keys(properties).length

for (const [name, property] of Object.entries(properties))
  await t.test(name, async (t) => {
    fc.assert(property, { numRuns: 5000 })
    const deadline = Date.now() + share
    let runs = 0
    while (Date.now() < deadline) {
      const result = await fc.check(property, { numRuns: 1_000_000, interruptAfterTimeLimit: sliceMs })
      if (result.failed) throw new Error(fc.defaultReportMessage(result))
      runs += result.numRuns
      await setImmediate() // the runner hears from this file between the slices
    }
    t.pass(runs > 0 ? `${runs} more runs` : 'fast-check throws otherwise')
  })
