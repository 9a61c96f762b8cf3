import { test } from 'tap'
import { toDocument } from '../../../src/aws/policies/document.ts'
import { policiesOf } from '../../../src/aws/policies/table.ts'
import { readBoundary, withDenials } from '../../../src/aws/revocation-policy.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { holds } from '../../sandbox/aws/conditions.ts'
import { parsePolicy } from '../../sandbox/aws/policy.ts'

const now = Date.parse('2026-11-24T12:07:00Z')
const minute = 60_000
/** As users install it. */
const emptyBoundary = toDocument(policiesOf(kinds).own.boundary ?? { statements: [] })
const grant = (id: string, minutes = 30) => ({ by: 'grant' as const, id, until: now + minutes * minute })
const session = (id: string, minutes = 30) => ({ by: 'session' as const, id, until: now + minutes * minute })

test('a denial is one statement that AWS understands, and the ceiling stays', (t) => {
  const next = withDenials(emptyBoundary, [grant('grt_a'), grant('grt_b'), session('ses_c', 50)], now)
  t.same(next, {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'Ceiling', Effect: 'Allow', Action: '*', Resource: '*' },
      {
        Sid: 'SallyportGrantsUntil20261124T1245Z',
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalTag/sallyport:grant': ['grt_a', 'grt_b'] } },
      },
      {
        Sid: 'SallyportSessionsUntil20261124T1300Z',
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalTag/sallyport:session': ['ses_c'] } },
      },
    ],
  })
  t.doesNotThrow(() => parsePolicy(next, 'identity'))
  t.ok(holds('StringEquals', ['grt_a', 'grt_b'], ['grt_b']))
  t.end()
})

test('what is there already is no change; an entry that runs out goes; a later end replaces an earlier one', (t) => {
  const first = withDenials(emptyBoundary, [grant('grt_a'), grant('grt_b', 90)], now)
  if (!first) throw new Error('nothing was denied')
  t.equal(withDenials(first, [grant('grt_a')], now), undefined)
  t.equal(withDenials(first, [], now + 37 * minute), undefined, 'a minute before its end')
  const later = withDenials(first, [], now + 38 * minute)
  t.same(later && readBoundary(later).denials.map(({ id }) => id), ['grt_b'])
  const longer = withDenials(first, [grant('grt_a', 90)], now)
  t.equal(longer && readBoundary(longer).denials.length, 2)
  t.equal(longer?.Statement.length, 2)
  t.same(withDenials(first, [], now + 200 * minute), emptyBoundary)
  t.end()
})

test("statements that are not the broker's stay as they are, wherever they stand", (t) => {
  const owners = [
    {
      Sid: 'OnlyEurope',
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      Condition: { StringNotEquals: { 'aws:RequestedRegion': 'eu-west-1' } },
    },
    { Sid: 'SallyportGrantsUntilForever', Effect: 'Deny', Action: '*', Resource: '*' },
    { Effect: 'Allow', Action: 's3:*', Resource: '*' },
  ]
  const next = withDenials({ Version: '2012-10-17', Statement: owners }, [grant('grt_a')], now)
  t.same(next?.Statement.slice(0, 3), owners)
  t.equal(next?.Statement.length, 4)
  const single = withDenials({ Version: '2012-10-17', Statement: owners[2] as never }, [grant('grt_a')], now)
  t.same(single?.Statement[0], owners[2])
  t.end()
})

test('a hundred and twenty grants fit in one policy', (t) => {
  const many = Array.from({ length: 120 }, (_, i) => grant(`grt_${String(i).padStart(26, '0')}`))
  const text = JSON.stringify(withDenials(emptyBoundary, many, now))
  t.ok(text.length < 6144, String(text.length))
  t.end()
})
