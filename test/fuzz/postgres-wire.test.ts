import t from 'tap'
import fc from '../fast-check.ts'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'

t.setTimeout(240_000)
const properties = postgresProperties(await loadPostgresCodec(import.meta.resolve('../../proxy/wire/postgres/')))

for (const [name, property] of Object.entries(properties))
  t.test(name, (t) => {
    fc.assert(property, { numRuns: 5000 })
    t.pass('fast-check throws otherwise')
    t.end()
  })
