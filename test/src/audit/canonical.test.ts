import t from 'tap'
import { type CanonicalValue, canonicalJson, readCanonical, sortedJson } from '../../../src/audit/canonical.ts'
import { digestOf } from '../../../src/audit/digest.ts'
import fc from '../../fast-check.ts'

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

t.test('one value, one text, in whatever order its members stand', async (t) => {
  t.equal(canonicalJson({ b: 1, a: [{ d: 'é\ud800', c: null }] }), '{"a":[{"c":null,"d":"é\\ud800"}],"b":1}')
  t.equal(canonicalJson({ 9: true, 10: '', a: {}, B: [] }), '{"10":"","9":true,"B":[],"a":{}}') // an object has 9 first
  t.equal(sortedJson(JSON.parse('{"b":1,"__proto__":{"d":2,"c":3}}')), '{"__proto__":{"c":3,"d":2},"b":1}')
  t.equal(sortedJson({ a: undefined, b: [undefined], c: { e: undefined, d: 1 } }), '{"b":[null],"c":{"d":1}}')
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = sortedJson(value)
      return text === sortedJson(turned(value)) && text === sortedJson(JSON.parse(text)) // the last one is sorted
    }),
  )
})

t.test('a text is canonical in one form only', async (t) => {
  t.same(readCanonical('{"a":{"b":1,"c":[]},"d":"x"}'), { a: { b: 1, c: [] }, d: 'x' })
  const others = ['{"d":"x","a":1}', '{"a":{"c":1,"b":1}}', '[{"b":1,"a":1}]', '{"a": 1}', '{"a":1,"a":1}', '{"a":1.0}']
  for (const text of [
    ...others,
    '{"a":"\\u0041"}',
    '{"9":1,"10":1}',
    '{"a":1.5}',
    '{"a":1}\n',
    '{"a":9007199254740993}',
  ])
    t.equal(readCanonical(text), undefined, text)
})

/** The same with its members in the opposite order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (value === null || typeof value !== 'object') return value
  const members = Object.entries(value).map(([key, member]): [string, unknown] => [key, turned(member)])
  return Object.fromEntries(members.reverse())
}

t.test('digests are those of the rows that are stored already', async (t) => {
  const levels = [{ for: { tags: { env: 'prod' } }, readonly: { db_user: 'ro', ratio: 0.25, max_rows: 100 } }]
  t.equal(
    digestOf({ levels, access: [], resources: undefined }),
    'bbefcbb317db3175aec46881508caf48eccb755e697b02f4e82cdde52aefab75',
  )
})
