/** What AWS handed out before a restore, and the store may not know: revocable roles deny it by its age. */
import t from 'tap'
import { type Denial, readBoundary, withDenials } from '../../src/aws/revocation-policy.ts'

const now = Date.UTC(2026, 10, 27, 10)
const until = now + 12 * 3_600_000
const issued: Denial = { by: 'issued', id: '2026-11-27T10:00:01Z', until }
const own = { Version: '2012-10-17', Statement: [{ Sid: 'Owner', Effect: 'Allow', Action: '*', Resource: '*' }] }

t.test('C1: whatever was issued before the restore is denied, until none of it can work', (t) => {
  const denied = withDenials(own, [issued], now)
  t.match(denied?.Statement[1], {
    Sid: 'SallyportIssuedUntil20261127T2200Z',
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: { DateLessThan: { 'aws:TokenIssueTime': ['2026-11-27T10:00:01Z'] } },
  })
  t.same(readBoundary(denied ?? own).denials, [issued], 'the document itself says so')
  t.equal(withDenials(denied ?? own, [issued], now), undefined, 'said twice, it changes nothing')
  t.same(withDenials(denied ?? own, [], until + 1)?.Statement, own.Statement, 'what is over is removed')
  t.end()
})

t.test('C1: beside revoked grants and sessions, each in a statement of its own', (t) => {
  const grant: Denial = { by: 'grant', id: 'grt_1', until }
  const session: Denial = { by: 'session', id: 'ses_1', until }
  const document = withDenials(own, [grant, issued, session], now)
  t.same(
    document?.Statement.map((one) => Object.keys((one as { Condition?: object }).Condition ?? {})[0]),
    [undefined, 'StringEquals', 'DateLessThan', 'StringEquals'],
  )
  t.same(new Set(readBoundary(document ?? own).denials), new Set([grant, issued, session]))
  t.end()
})

t.test('C1: a statement of the owner with another condition is left alone', (t) => {
  const Condition = { StringEquals: { 'aws:TokenIssueTime': 'x' } }
  const odd = { Sid: 'SallyportIssuedUntil20261127T2200Z', Effect: 'Deny', Action: '*', Resource: '*', Condition }
  t.same(readBoundary({ Version: '2012-10-17', Statement: [odd] }), { denials: [], others: [odd] })
  t.end()
})
