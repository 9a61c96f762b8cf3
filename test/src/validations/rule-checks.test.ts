import t from 'tap'
import { checkRules } from '../../../src/validations/rule-checks.ts'

const bob = { id: 'prn_bob', email: 'Bob@Example.com', groups: ['owners'] }
const carol = { id: 'prn_carol', email: null, groups: ['owners', 'security'] }

t.test('a stage that nobody, or too few, may approve is named with what to do', (t) => {
  const cases: readonly [stages: { anyOf: string[]; count: number }[], found: object[]][] = [
    [[], []],
    [[{ anyOf: ['group:owners'], count: 2 }], [{ status: 'ok', detail: '2 people may approve' }]],
    [[{ anyOf: ['email:bob@example.com'], count: 1 }], [{ status: 'ok', detail: '1 person may approve' }]],
    [[{ anyOf: ['manager'], count: 1 }], [{ status: 'ok' }]],
    [
      [
        { anyOf: ['group:owners'], count: 1 },
        { anyOf: ['group:ghosts', 'email:nobody@example.com'], count: 1 },
      ],
      [
        { status: 'ok' },
        {
          check: 'rule prod, stage 2',
          status: 'failed',
          severity: 'medium',
          detail: 'nobody who has signed in so far is group:ghosts, email:nobody@example.com',
          fix: /identity provider/,
        },
      ],
    ],
    [
      [{ anyOf: ['group:security', 'group:security'], count: 2 }],
      [{ status: 'failed', detail: /needs 2 people, and only 1/ }],
    ],
  ]
  for (const [stages, found] of cases) t.match(checkRules([{ name: 'prod', stages }], [bob, carol]), found)
  t.end()
})
