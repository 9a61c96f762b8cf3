import t from 'tap'
import fc from '../fast-check.ts'
import { loadMysqlCodec, mysqlProperties } from './mysql-properties.ts'

t.setTimeout(240_000)
const properties = mysqlProperties(await loadMysqlCodec(import.meta.resolve('../../proxy/wire/mysql/')))

for (const [name, property] of Object.entries(properties))
  t.test(name, (t) => {
    fc.assert(property, { numRuns: 2000 })
    t.pass('fast-check throws otherwise')
    t.end()
  })
