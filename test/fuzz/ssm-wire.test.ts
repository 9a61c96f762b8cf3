import t from 'tap'
import fc from '../fast-check.ts'
import { loadSsmCodec, ssmProperties } from './ssm-properties.ts'

t.setTimeout(240_000)
const properties = ssmProperties(await loadSsmCodec(import.meta.resolve('../../proxy/wire/ssm/')))

for (const [name, property] of Object.entries(properties))
  t.test(name, (t) => {
    fc.assert(property, { numRuns: 2000 })
    t.pass('fast-check throws otherwise')
    t.end()
  })
