import t from 'tap'
import { evaluate, type RequestContext } from '../sandbox/aws/evaluate.ts'
import { parsePolicy } from '../sandbox/aws/policy.ts'
import { matchesArn, matchesWildcard } from '../sandbox/aws/wildcard.ts'

const arn = 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ABC/sallyport_ro'
const statement = { Effect: 'Allow', Action: 'rds-db:connect', Resource: arn }
const context = (values: Record<string, string | string[]> = {}): RequestContext =>
  new Map(Object.entries(values).map(([key, value]) => [key.toLowerCase(), [value].flat()]))

function verdict(statements: object[], values: Record<string, string | string[]> = {}, version = '2012-10-17') {
  const policy = parsePolicy({ Version: version, Statement: statements }, 'identity')
  return evaluate([policy], { action: 'rds-db:connect', resource: arn, context: context(values) })
}

t.test('wildcards', async (t) => {
  const cases: [string, string, boolean][] = [
    ['*', '', true],
    ['', 'a', false],
    ['a', 'a', true],
    ['a', 'A', false],
    ['?', '', false],
    ['?*', 'x', true],
    ['?*', '', false],
    ['grt_*', 'grt_', true],
    ['grt_*', 'xgrt_1', false],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b*', 'xxbxxaxx', false],
    ['a*', 'ba', false],
    ['*.*', 'a.', true],
    ['a.c', 'abc', false],
    [`${'*a'.repeat(30)}b`, 'a'.repeat(3000), false],
  ]
  for (const [pattern, text, expected] of cases)
    t.equal(matchesWildcard(pattern, text), expected, `${pattern.slice(0, 20)} ~ ${text.slice(0, 20)}`)
})

t.test('ARNs match part by part: a wildcard does not leave its part', async (t) => {
  const cases: [string, boolean][] = [
    ['*', true],
    [arn, true],
    ['arn:aws:rds-db:*:111122223333:dbuser:*/sallyport_*', true],
    ['arn:aws:rds-db:*:*:dbuser:db-ABC/sallyport_ro', true],
    ['arn:aws:rds-db:*:dbuser:db-ABC/sallyport_ro', false],
    ['arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ABC/sallyport_r', false],
    ['arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ABC/sallyport_rw', false],
    ['arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ABC', false],
    ['arn:aws:rds-db:us-east-1:111122223333:dbuser:db-ABC/sallyport_ro', false],
    ['arn:aws:*', false],
  ]
  for (const [pattern, expected] of cases) t.equal(matchesArn(pattern, arn), expected, pattern)
})

t.test('actions and resources, and what is not meant', async (t) => {
  t.equal(verdict([statement]), 'allow')
  t.equal(verdict([{ ...statement, Action: 'RDS-DB:Connect' }]), 'allow', 'actions ignore case')
  t.equal(verdict([{ ...statement, Action: ['s3:*', 'rds-db:c*'] }]), 'allow')
  t.equal(verdict([{ ...statement, Action: '*' }]), 'allow')
  t.equal(verdict([{ ...statement, Action: 'rds:*' }]), 'none')
  t.equal(verdict([{ Effect: 'Allow', NotAction: 's3:*', Resource: '*' }]), 'allow')
  t.equal(verdict([{ Effect: 'Allow', NotAction: 'rds-db:*', Resource: '*' }]), 'none')
  t.equal(verdict([{ Effect: 'Allow', Action: '*', NotResource: arn }]), 'none')
  t.equal(verdict([{ Effect: 'Allow', Action: '*', NotResource: 'arn:aws:s3:::x' }]), 'allow')
})

t.test('one explicit deny wins, wherever it stands', async (t) => {
  const deny = { Effect: 'Deny', Action: 'rds-db:*', Resource: '*' }
  t.equal(verdict([statement, deny]), 'deny')
  t.equal(verdict([deny, statement]), 'deny')
  const elsewhere = { ...deny, Condition: { StringEquals: { 'aws:PrincipalAccount': '9' } } }
  t.equal(verdict([elsewhere, statement], { 'aws:PrincipalAccount': '1' }), 'allow')
})

t.test('conditions', async (t) => {
  type Case = [operator: string, key: string, expected: unknown, actual: string | string[] | undefined, holds: boolean]
  const cases: Case[] = [
    ['StringEquals', 'sts:ExternalId', 'a', 'a', true],
    ['StringEquals', 'sts:externalid', ['x', 'a'], 'a', true],
    ['StringEquals', 'sts:ExternalId', 'a', 'A', false],
    ['StringEquals', 'sts:ExternalId', 'a', undefined, false],
    ['StringEqualsIfExists', 'sts:ExternalId', 'a', undefined, true],
    ['StringEqualsIfExists', 'sts:ExternalId', 'a', 'b', false],
    ['StringEqualsIgnoreCase', 'k', 'a', 'A', true],
    ['StringNotEquals', 'k', 'a', 'b', true],
    ['StringNotEquals', 'k', ['a', 'b'], 'b', false],
    ['StringNotEquals', 'k', 'a', undefined, true],
    ['StringLike', 'sts:SourceIdentity', '?*', 'x', true],
    ['StringLike', 'sts:SourceIdentity', '?*', undefined, false],
    ['StringLike', 'aws:RequestTag/sallyport:grant', 'grt_*', 'grt_1', true],
    ['StringNotLike', 'k', 'a*', 'abc', false],
    ['ArnLike', 'aws:PrincipalArn', 'arn:aws:iam::*:role/sallyport/*', 'arn:aws:iam::1:role/sallyport/X', true],
    ['ArnLike', 'aws:PrincipalArn', 'arn:aws:iam:*', 'arn:aws:iam::1:role/sallyport/X', false],
    ['ArnNotLike', 'aws:PrincipalArn', 'arn:aws:iam::1:role/*', 'arn:aws:iam::1:role/X', false],
    ['DateLessThan', 'aws:TokenIssueTime', '2026-01-15T12:34:56Z', '2026-01-15T12:34:55Z', true],
    ['DateLessThan', 'aws:TokenIssueTime', '2026-01-15T12:34:56Z', '2026-01-15T12:34:56Z', false],
    ['DateGreaterThan', 'aws:CurrentTime', '1768480496', '2026-01-15T12:34:57Z', true],
    ['Bool', 'aws:SecureTransport', false, 'false', true],
    ['Bool', 'aws:SecureTransport', 'true', 'false', false],
    ['BoolIfExists', 'aws:SecureTransport', 'true', undefined, true],
    ['Null', 'aws:SourceIdentity', 'true', undefined, true],
    ['Null', 'aws:SourceIdentity', 'false', undefined, false],
    ['Null', 'aws:SourceIdentity', false, 'x', true],
    ['NumericLessThan', 'k', 10, '9', true],
    ['IpAddress', 'aws:SourceIp', '10.0.0.0/8', '10.9.8.7', true],
    ['IpAddress', 'aws:SourceIp', '10.0.0.0/8', '11.9.8.7', false],
    ['NotIpAddress', 'aws:SourceIp', '10.0.0.0/8', '11.9.8.7', true],
    ['ForAnyValue:StringEquals', 'aws:TagKeys', ['a'], ['b', 'a'], true],
    ['ForAnyValue:StringEquals', 'aws:TagKeys', ['a'], ['b'], false],
    ['ForAnyValue:StringEquals', 'aws:TagKeys', ['a'], undefined, false],
    ['ForAllValues:StringLike', 'aws:TagKeys', ['sallyport:*'], ['sallyport:grant', 'sallyport:user'], true],
    ['ForAllValues:StringLike', 'aws:TagKeys', ['sallyport:*'], ['sallyport:grant', 'x'], false],
    ['ForAllValues:StringEquals', 'aws:TagKeys', ['a'], undefined, true],
  ]
  for (const [operator, key, expected, actual, holds] of cases) {
    const got = verdict(
      [{ ...statement, Condition: { [operator]: { [key]: expected } } }],
      actual === undefined ? {} : { [key]: actual },
    )
    t.equal(
      got,
      holds ? 'allow' : 'none',
      `${operator} ${key} ${JSON.stringify(expected)} given ${JSON.stringify(actual)}`,
    )
  }
})

t.test('every condition must hold', async (t) => {
  const both = { ...statement, Condition: { StringEquals: { a: '1', b: '2' }, StringLike: { c: '3*' } } }
  t.equal(verdict([both], { a: '1', b: '2', c: '33' }), 'allow')
  t.equal(verdict([both], { a: '1', b: '2', c: '4' }), 'none')
  t.equal(verdict([both], { a: '1', c: '33' }), 'none')
})

t.test('variables', async (t) => {
  const tagged = { ...statement, Resource: `arn:aws:rds-db:*:*:dbuser:*/\${aws:PrincipalTag/dbuser}` }
  t.equal(verdict([tagged], { 'aws:PrincipalTag/dbuser': 'sallyport_ro' }), 'allow')
  t.equal(verdict([tagged], { 'aws:PrincipalTag/dbuser': 'other' }), 'none')
  t.equal(verdict([tagged]), 'none', 'without a value nothing matches')
  t.equal(verdict([tagged], { 'aws:PrincipalTag/dbuser': 'sallyport_ro' }, '2008-10-17'), 'none', 'only from 2012 on')
  const same = { ...statement, Condition: { StringEquals: { 'aws:ResourceAccount': `\${aws:PrincipalAccount}` } } }
  t.equal(verdict([same], { 'aws:ResourceAccount': '1', 'aws:PrincipalAccount': '1' }), 'allow')
  t.equal(verdict([same], { 'aws:ResourceAccount': '1', 'aws:PrincipalAccount': '2' }), 'none')
})

t.test('what is not a policy is refused, with a reason', async (t) => {
  const good = { Version: '2012-10-17', Statement: [statement] }
  const bad: [unknown, RegExp][] = [
    ['text', /must be an object/],
    [{ ...good, Version: '2020-01-01' }, /unknown Version/],
    [{ ...good, Extra: 1 }, /unknown element Extra/],
    [{ ...good, Statement: [] }, /needs a Statement/],
    [{ ...good, Statement: [{ ...statement, Effect: 'allow' }] }, /Effect/],
    [{ ...good, Statement: [{ ...statement, Action: undefined }] }, /needs Action or NotAction/],
    [{ ...good, Statement: [{ ...statement, NotAction: 's3:*' }] }, /needs Action or NotAction/],
    [{ ...good, Statement: [{ ...statement, Action: 'connect' }] }, /bad action/],
    [{ ...good, Statement: [{ ...statement, Resource: undefined }] }, /needs Resource or NotResource/],
    [{ ...good, Statement: [{ ...statement, Resource: 'db-ABC' }] }, /bad resource/],
    [{ ...good, Statement: [{ ...statement, Principal: '*' }] }, /no Principal/],
    [{ ...good, Statement: [{ ...statement, Sid: 'a b' }] }, /Sid/],
    [{ ...good, Statement: [{ ...statement, Condition: { Equals: { a: 'b' } } }] }, /unknown condition operator/],
    [{ ...good, Statement: [{ ...statement, Condition: { StringEquals: { a: {} } } }] }, /must be text/],
  ]
  for (const [document, message] of bad)
    t.throws(() => parsePolicy(document, 'identity'), { name: 'PolicyError', message })
  const trust = {
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' },
  }
  t.ok(parsePolicy(trust, 'trust'))
  t.throws(() => parsePolicy({ ...trust, Statement: { ...trust.Statement, Resource: '*' } }, 'trust'), /no Resource/)
})
