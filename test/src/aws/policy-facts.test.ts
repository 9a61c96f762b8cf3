/** What policies give and whom trust policies let in: what findings say. */
import t from 'tap'
import { few, missingInTrust, powersOf, readPolicy, trustOf } from '../../../src/aws/policy-facts.ts'

const named = (name: string, ...Statement: object[]) => ({
  name,
  statements: readPolicy(JSON.stringify({ Version: '2012-10-17', Statement })) ?? [],
})
const allow = (Action: unknown, Resource: unknown = '*', more = {}) => ({ Effect: 'Allow', Action, Resource, ...more })
const none = { admin: [], escalation: [], wide: [] }

t.test('documents come as JSON or percent-encoded; what is neither is null', (t) => {
  const document = { Version: '2012-10-17', Statement: allow('s3:GetObject', 'arn:aws:s3:::ümläut/*') }
  const text = JSON.stringify(document)
  const read = readPolicy(text)
  t.match(read, [{ isAllow: true, actions: ['s3:GetObject'], resources: ['arn:aws:s3:::ümläut/*'], isAllBut: false }])
  t.same(readPolicy(encodeURIComponent(text)), read)
  t.same(readPolicy(` \n${text}`), read)
  for (const bad of ['', 'no', '[]', 'null', '"x"', '%', '%7Bx', '{"Statement":[1]}', '{"Statement":"x"}', '{}'])
    t.equal(readPolicy(bad), null, bad)
  t.end()
})

for (const [what, statement, found] of [
  ['everything', allow('*'), { admin: ['p'] }],
  ['everything, spelt otherwise', allow(['s3:GetObject', '*:*'], ['x', '*']), { admin: ['p'] }],
  [
    'everything within a region',
    allow('*', '*', { Condition: { StringEquals: { 'aws:RequestedRegion': 'eu-west-1' } } }),
    { admin: ['p'] },
  ],
  ['everything that is tagged', allow('*', '*', { Condition: { StringEquals: { 'aws:ResourceTag/team': 'a' } } }), {}],
  ['everything on one bucket', allow('*', 'arn:aws:s3:::one/*'), {}],
  ['a denial of everything', { Effect: 'Deny', Action: '*', Resource: '*' }, {}],
  [
    'everything but IAM',
    { Effect: 'Allow', NotAction: ['iam:*'], Resource: '*' },
    { wide: ['p: everything but iam:*'] },
  ],
  ['everything but one bucket', { Effect: 'Allow', Action: '*', NotResource: 'arn:aws:s3:::one' }, { admin: ['p'] }],
  ['a whole service', allow('s3:*'), { wide: ['p: s3:*'] }],
  ['readings of a service', allow(['s3:Get*', 's3:List*']), {}],
  [
    'all of IAM',
    allow('iam:*'),
    { wide: ['p: iam:*'], escalation: [/^p: iam:AddUserToGroup, iam:AttachRolePolicy, .* and 9 more$/] },
  ],
  ['one that raises', allow('iam:putrolepolicy'), { escalation: ['p: iam:PutRolePolicy'] }],
  ['one that raises, by a pattern', allow('iam:P?tRole*'), { escalation: ['p: iam:PutRolePolicy'] }],
  ['one that raises, on one role', allow('iam:PutRolePolicy', 'arn:aws:iam::111122223333:role/app'), {}],
  ['any role of any account', allow('sts:AssumeRole'), { escalation: ['p: sts:AssumeRole'] }],
] as const)
  t.test(`what a policy gives: ${what}`, (t) => {
    t.match(powersOf([named('p', statement)]), { ...none, ...found })
    t.equal(powersOf([named('p', statement)]).admin.length, 'admin' in found ? 1 : 0)
    t.equal(powersOf([named('p', statement)]).escalation.length, 'escalation' in found ? 1 : 0)
    t.equal(powersOf([named('p', statement)]).wide.length, 'wide' in found ? 1 : 0)
    t.end()
  })

t.test("AWS's own policies are known by their names", (t) => {
  const arn = (name: string, partition = 'aws') => `arn:${partition}:iam::aws:policy/${name}`
  t.same(
    powersOf(
      [],
      [
        arn('AdministratorAccess', 'aws-cn'),
        arn('job-function/ViewOnlyAccess'),
        arn('IAMFullAccess'),
        arn('AmazonS3FullAccess'),
        arn('PowerUserAccess'),
      ],
    ),
    { admin: ['AdministratorAccess'], escalation: ['IAMFullAccess'], wide: ['AmazonS3FullAccess', 'PowerUserAccess'] },
  )
  t.same(powersOf([], ['arn:aws:iam::111122223333:policy/AdministratorAccess']), none, 'not of AWS')
  t.end()
})

t.test('a pattern of many stars costs no time', (t) => {
  const pattern = `iam:${'*a'.repeat(2000)}`
  t.same(powersOf([named('p', allow(Array.from({ length: 50 }, () => pattern)))]), none)
  t.end()
})

const trust = (...statements: object[]) =>
  readPolicy(
    JSON.stringify({ Statement: statements.map((one) => ({ Effect: 'Allow', Action: 'sts:AssumeRole', ...one })) }),
  ) ?? []

t.test('whom a trust policy lets in', (t) => {
  const role = 'arn:aws:iam::111122223333:role/app'
  const found = trustOf(
    trust(
      { Principal: { AWS: [role, '222233334444', 'AROAGONEGONEGONEGONE1'] } },
      { Principal: { AWS: 'arn:aws:iam::555566667777:root' }, Condition: { StringEquals: { 'sts:ExternalId': 'x' } } },
      { Principal: '*', Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } },
      { Principal: { Service: 'ec2.amazonaws.com' } },
      { Principal: { AWS: 'arn:aws:iam::888899990000:root' }, Effect: 'Deny' },
      { Principal: { AWS: 'arn:aws:iam::888899990000:root' }, Action: 'sts:TagSession' },
      { Principal: { Federated: 'arn:aws:iam::111122223333:saml-provider/okta' }, Action: 'sts:AssumeRoleWithSAML' },
    ),
  )
  t.same(
    found.principals.map(({ name, account, hasExternalId, isWithinOrganization }) => [
      name,
      account,
      hasExternalId,
      isWithinOrganization,
    ]),
    [
      ['*', null, false, true],
      ['222233334444', '222233334444', false, false],
      [role, '111122223333', false, false],
      ['arn:aws:iam::555566667777:root', '555566667777', true, false],
    ],
  )
  t.same(found.providers, ['arn:aws:iam::111122223333:saml-provider/okta'])
  t.end()
})

t.test('of two statements for one principal the laxer one counts, in any order', (t) => {
  const strict = { Principal: { AWS: '222233334444' }, Condition: { StringEquals: { 'sts:ExternalId': 'x' } } }
  const lax = { Principal: { AWS: '222233334444' } }
  for (const both of [
    [strict, lax],
    [lax, strict],
  ])
    t.match(trustOf(trust(...both)).principals, [{ hasExternalId: false }])
  t.end()
})

t.test('what a trust policy lacks for a principal', (t) => {
  const spoke = 'arn:aws:iam::111122223333:role/sallyport/SallyportConnect'
  const all = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']
  t.same(missingInTrust(trust({ Principal: { AWS: spoke } }), spoke, all), ['sts:TagSession', 'sts:SetSourceIdentity'])
  t.same(missingInTrust(trust({ Principal: { AWS: spoke }, Action: all }), spoke, all), [])
  t.same(missingInTrust(trust({ Principal: { AWS: '111122223333' }, Action: 'sts:*' }), spoke, all), [])
  t.same(
    missingInTrust(trust({ Principal: { AWS: 'arn:aws:iam::111122223333:role/SallyportConnect' } }), spoke, all),
    all,
  )
  t.same(missingInTrust(trust({ Principal: { Service: 'ec2.amazonaws.com' } }), spoke, all), all)
  t.end()
})

t.test('names in a text: the first three, and how many more', (t) => {
  t.equal(few(['a', 'b', 'c']), 'a, b, c')
  t.equal(few(['a', 'b', 'c', 'd']), 'a, b, c and 1 more')
  t.end()
})
