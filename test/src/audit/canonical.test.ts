import fc from 'fast-check'
import t from 'tap'
import { type CanonicalValue, canonicalJson, sortedJson } from '../../../src/audit/canonical.ts'
import { digestOf } from '../../../src/audit/digest.ts'

t.test('what is sorted only takes any value; what is canonical is written the same', async (t) => {
  t.equal(sortedJson({ b: 0.5, a: undefined, c: [undefined, -0, Number.NaN] }), '{"b":0.5,"c":[null,0,null]}')
  t.equal(sortedJson(undefined), 'null')
  const values = fc.jsonValue({ maxDepth: 4 })
  fc.assert(
    fc.property(values, (value) => {
      t.same(JSON.parse(sortedJson(value)), JSON.parse(JSON.stringify(value)))
      try {
        const text = canonicalJson(value as CanonicalValue)
        return text === sortedJson(value)
      } catch (error) {
        return error instanceof TypeError // a fraction, or a number beyond 2^53
      }
    }),
  )
})

t.test('digests are those of the rows that are stored already', async (t) => {
  const levels = [{ for: { tags: { env: 'prod' } }, readonly: { db_user: 'ro', ratio: 0.25, max_rows: 100 } }]
  t.equal(
    digestOf({ levels, access: [], resources: undefined }),
    'bbefcbb317db3175aec46881508caf48eccb755e697b02f4e82cdde52aefab75',
  )
})
