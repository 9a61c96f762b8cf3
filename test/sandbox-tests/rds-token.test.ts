import { readFileSync } from 'node:fs'
import t from 'tap'
import { AwsFault } from '../sandbox/aws/aws-fault.ts'
import { createCallers } from '../sandbox/aws/callers.ts'
import { parsePolicy } from '../sandbox/aws/policy.ts'
import { createRdsTokenJudge, type RdsEndpoint } from '../sandbox/aws/rds-token.ts'
import type { Role, World } from '../sandbox/aws/world.ts'
import { allow, policy } from '../sandbox/default-world.ts'

interface Vector {
  readonly name: string
  readonly input: {
    readonly hostname: string
    readonly port: number
    readonly username: string
    readonly region: string
    readonly credentials: {
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken?: string
    }
  }
  readonly output: string
}

const vectors = JSON.parse(readFileSync(new URL('../fixtures/aws-vectors.json', import.meta.url), 'utf8')) as {
  readonly clock: string
  readonly rdsToken: readonly Vector[]
}
const signedAt = Date.parse(vectors.clock)
const account = '222222222222'

const nothing = {
  managedPolicies: [],
  oidcProviders: [],
  buckets: {},
  lists: { pageSize: 1000, hasEmptyPages: false },
  instances: [],
  sessionDocuments: [],
  keys: [],
  clusters: [],
  rds: { instances: [], clusters: [] },
}

/** The holder of a vector's keys may connect to everything, unless told. */
function judge(vector: Vector, options: { identity?: object; session?: object; boundary?: object } = {}) {
  const { credentials, region } = vector.input
  const identity = (options.identity ?? allow('rds-db:connect', '*')) as World['users'][number]['policies'][number]
  const world: World = { organizationId: 'o-1', regions: [region], users: [], roles: [], ...nothing }
  const callers = createCallers(world)
  const { sessionToken: token, ...keys } = credentials
  if (token) {
    const role: Role = {
      arn: `arn:aws:iam::${account}:role/R`,
      roleId: 'AROAEXAMPLE',
      trust: policy(),
      policies: [identity],
      maxSessionSeconds: 3600,
      tags: {},
      ...(options.boundary ? { boundary: options.boundary as Role['trust'] } : {}),
    }
    world.roles.push(role)
    const times = { issuedAt: signedAt - 60_000, expiresAt: signedAt + 3_000_000 }
    const session = options.session ? parsePolicy(options.session, 'identity') : null
    const nobody = { tags: {}, transitiveTagKeys: [], sourceIdentity: null, isChained: false }
    callers.adopt(role, { token, roleArn: role.arn, name: 'jane', ...times, policy: session, ...nobody }, keys)
  } else {
    const arn = `arn:aws:iam::${account}:user/u`
    world.users.push({ arn, userId: 'AIDAEXAMPLE', ...keys, policies: [identity], tags: {} })
  }
  const clock = { now: signedAt }
  const tokens = createRdsTokenJudge({ world, callers, isDenied: () => false, now: () => clock.now })
  return { tokens, clock, callers }
}

function endpointOf(vector: Vector): RdsEndpoint {
  const { hostname: host, port, region } = vector.input
  return { host, port, region, account, partition: 'aws', resourceId: 'db-ABC' }
}

const session = () => {
  const vector = vectors.rdsToken.find(({ name }) => name === 'aurora-cluster-endpoint')
  if (!vector) throw new Error('no vector')
  return { vector, endpoint: endpointOf(vector), user: vector.input.username }
}

for (const vector of vectors.rdsToken)
  t.test(`vector ${vector.name}: accepted for 15 minutes, for one host, port, user and region`, async (t) => {
    const { tokens, clock } = judge(vector)
    const endpoint = endpointOf(vector)
    const { output: token } = vector
    const { username } = vector.input
    t.ok(tokens.check(token, username, endpoint))
    clock.now = signedAt + 899_000
    t.ok(tokens.check(token, username, endpoint))
    clock.now = signedAt + 901_000
    t.match(
      reason(() => tokens.check(token, username, endpoint)),
      /expired/,
    )
    clock.now = signedAt - 300_000
    t.ok(tokens.check(token, username, endpoint), 'clocks may differ by five minutes')
    clock.now = signedAt - 301_000
    t.match(
      reason(() => tokens.check(token, username, endpoint)),
      /future/,
    )
    clock.now = signedAt
    t.match(
      reason(() => tokens.check(token, `${username}x`, endpoint)),
      /for the user/,
    )
    t.match(
      reason(() => tokens.check(token, username, { ...endpoint, host: 'other.example.com' })),
      /the token is for/,
    )
    t.match(
      reason(() => tokens.check(token, username, { ...endpoint, port: endpoint.port + 1 })),
      /the token is for/,
    )
    t.match(
      reason(() => tokens.check(token, username, { ...endpoint, region: 'sa-east-1' })),
      /valid region/,
    )
  })

t.test('a token with any one character changed is refused', async (t) => {
  const { vector, endpoint, user } = session()
  const { tokens } = judge(vector)
  for (let at = 0; at < vector.output.length; at += 1) {
    const was = vector.output.charAt(at)
    const forged = vector.output.slice(0, at) + (was === 'q' ? 'r' : 'q') + vector.output.slice(at + 1)
    t.not(
      reason(() => tokens.check(forged, user, endpoint)),
      '',
      `character ${at}`,
    )
  }
})

t.test('a token is only what it should be', async (t) => {
  const { vector, endpoint, user } = session()
  const { tokens } = judge(vector)
  const refused = (token: string) => reason(() => tokens.check(token, user, endpoint))
  t.match(refused(''), /not a token/)
  t.match(refused(`https://${vector.output}`), /the token is for https:/)
  t.match(refused(`${vector.output}&X=1`), /unknown parameter/)
  t.match(refused(`${vector.output}&DBUser=root`), /given twice/)
  t.match(refused(vector.output.replace('X-Amz-Expires=900', 'X-Amz-Expires=901')), /longer than 15 minutes/)
  t.match(refused(vector.output.replace('X-Amz-Expires=900', 'X-Amz-Expires=899')), /signature is wrong/)
  t.match(refused(vector.output.replace('Action=connect', 'Action=Connect')), /Action/)
  t.match(refused(vector.output.replace('rds-db', 'rds')), /service/)
})

t.test('the keys must be alive and allowed to connect as this very user', async (t) => {
  const { vector, endpoint, user } = session()
  const arn = `arn:aws:rds-db:${endpoint.region}:${account}:dbuser:db-ABC/${user}`
  const check = (options: Parameters<typeof judge>[1]) =>
    reason(() => judge(vector, options).tokens.check(vector.output, user, endpoint))
  t.equal(check({ session: allow('rds-db:connect', arn) }), '')
  t.equal(check({ session: allow('rds-db:connect', arn), boundary: allow('*', '*') }), '')
  t.match(check({ identity: allow('s3:*', '*') }), /no identity policy allows it/)
  t.match(check({ session: allow('rds-db:connect', `${arn}x`) }), /session policy/)
  t.match(check({ session: allow('rds-db:connect', arn.replace('db-ABC', 'db-DEF')) }), /session policy/)
  t.match(check({ boundary: allow('s3:*', '*') }), /permissions boundary/)
  t.match(
    check({
      identity: policy(
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', Action: 'rds-db:*', Resource: '*' },
      ),
    }),
    /denies/,
  )
  const { tokens, clock, callers } = judge(vector)
  clock.now = signedAt + 890_000
  t.ok(tokens.check(vector.output, user, endpoint))
  const caller = callers.find(vector.input.credentials.accessKeyId)
  t.ok(caller?.session)
  const other = { ...endpoint, account: '999999999999' }
  t.match(
    reason(() => tokens.check(vector.output, user, other)),
    /another account/,
  )
})

t.test('a token dies with the credentials that signed it', async (t) => {
  const { vector, endpoint, user } = session()
  const { tokens, callers } = judge(vector)
  const { credentials } = vector.input
  const caller = callers.find(credentials.accessKeyId)
  if (!caller?.session) throw new Error('no session')
  const role = {
    arn: caller.session.roleArn,
    roleId: 'AROAEXAMPLE',
    trust: {},
    policies: [],
    maxSessionSeconds: 1,
    tags: {},
  }
  callers.adopt(role, { ...caller.session, expiresAt: signedAt }, credentials)
  t.match(
    reason(() => tokens.check(vector.output, user, endpoint)),
    /expired/,
  )
  callers.adopt(role, { ...caller.session, token: 'another' }, credentials)
  t.match(
    reason(() => tokens.check(vector.output, user, endpoint)),
    /session token/,
  )
})

/** Why the judge refused; empty when it didn't. */
function reason(act: () => unknown): string {
  try {
    act()
    return ''
  } catch (error) {
    if (error instanceof AwsFault) return error.reason
    throw error
  }
}
