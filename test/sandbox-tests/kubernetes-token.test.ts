/** What the sandbox's cluster checks of a token, as EKS's authenticator does; begun with one that AWS's own tools make. */
import t from 'tap'
import { clusterToken } from '../../src/kinds/eks-cluster/token.ts'
import { AwsFault } from '../sandbox/aws/aws-fault.ts'
import { createCallers } from '../sandbox/aws/callers.ts'
import { arns, createWorld } from '../sandbox/default-world.ts'
import { createEksTokenJudge } from '../sandbox/kubernetes/token-judge.ts'

const issuedAt = Date.parse('2026-01-15T12:00:00Z')
const cluster = { name: 'prod-eu', region: 'eu-central-1' }
const keys = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzEXAMPLE//////////wEaDExample+Token/==',
  expiresAt: issuedAt + 3_600_000,
}

async function open() {
  const world = createWorld()
  const callers = createCallers(world)
  const role = world.roles.find(({ arn }) => arn === arns.clusterView)
  if (!role) throw new Error('there is no role')
  const session = {
    token: keys.sessionToken,
    roleArn: role.arn,
    name: 'alice=40example.com',
    issuedAt,
    expiresAt: keys.expiresAt,
    policy: null,
    tags: {},
    transitiveTagKeys: [],
    sourceIdentity: null,
    isChained: true,
  }
  callers.adopt(role, session, keys)
  const state = { now: issuedAt }
  const judge = createEksTokenJudge({ callers, now: () => state.now })
  const token = await clusterToken({ partition: 'aws', region: cluster.region, cluster: cluster.name }, keys, issuedAt)
  return { judge, state, token }
}

function reasonOf(check: () => unknown): string {
  try {
    check()
    return 'it is taken'
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    return error.reason
  }
}

/** @param edit of the URL that the token is */
function edited(token: string, edit: (url: string) => string): string {
  const url = Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString()
  return `k8s-aws-v1.${Buffer.from(edit(url)).toString('base64url')}`
}

t.test('§8.1: a token is taken for 15 minutes, and by the cluster that it names alone', async (t) => {
  const { judge, state, token } = await open()
  t.match(judge.check(token, cluster).arn, /:assumed-role\/web-view\/alice=40example\.com$/)
  state.now = issuedAt + 15 * 60_000 - 1000
  t.ok(judge.check(token, cluster))
  t.match(
    reasonOf(() => judge.check(token, { ...cluster, name: 'prod-us' })),
    /signature/i,
  )
  state.now += 2000
  t.match(
    reasonOf(() => judge.check(token, cluster)),
    /older than 15 minutes/,
  )
})

const edits: Readonly<Record<string, readonly [edit: (url: string) => string, reason: RegExp]>> = {
  'another parameter': [(url) => `${url}&X-Amz-User-Agent=sdk`, /parameter X-Amz-User-Agent is not known/],
  'a digest of its content': [(url) => `${url}&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`, /is not known/],
  'a parameter twice': [(url) => `${url}&Action=GetCallerIdentity`, /Action comes twice/],
  'a parameter twice, in another case': [(url) => `${url}&action=GetCallerIdentity`, /action comes twice/],
  'another action': [(url) => url.replace('GetCallerIdentity', 'GetSessionToken'), /Action is not/],
  'another host': [(url) => url.replace('sts.eu-central-1.amazonaws.com', 'evil.example'), /none of STS/],
  'plain HTTP': [(url) => url.replace('https:', 'http:'), /not https/],
  'a path': [(url) => url.replace('com/?', 'com/x?'), /has a path/],
  'no cluster among what is signed': [(url) => url.replace('host%3Bx-k8s-aws-id', 'host'), /is not signed/],
  'a longer life': [(url) => url.replace('X-Amz-Expires=60', 'X-Amz-Expires=901'), /X-Amz-Expires/],
}

for (const [what, [edit, reason]] of Object.entries(edits))
  t.test(`§8.1: ${what} is refused`, async (t) => {
    const { judge, token } = await open()
    const changed = edited(token, edit)
    t.not(changed, token)
    t.match(
      reasonOf(() => judge.check(changed, cluster)),
      reason,
    )
  })

t.test('§8.1: forms of a token', async (t) => {
  const { judge, token } = await open()
  for (const [wrong, reason] of [
    [token.replace('v1', 'v2'), /prefix/],
    [`${token}=`, /base64url/],
    [`k8s-aws-v1.${'A'.repeat(4096)}`, /too long/],
  ] as const)
    t.match(
      reasonOf(() => judge.check(wrong, cluster)),
      reason,
    )
})
