import { createHash } from 'node:crypto'
import t from 'tap'
import { clusterToken } from '../../../../src/kinds/eks-cluster/token.ts'

/** Of AWS's documentation. */
const keys = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: '',
  expiresAt: Date.parse('2026-01-15T13:00:00Z'),
}
const now = Date.parse('2026-01-15T12:00:00Z')
const demo = { partition: 'aws', region: 'us-east-1', cluster: 'demo' }
const prod = { partition: 'aws', region: 'eu-central-1', cluster: 'prod-eu' }

/** Made with these keys by `aws eks get-token` at that moment. */
const vectors = [
  {
    name: 'a cluster in us-east-1',
    place: demo,
    sessionToken: '',
    length: 493,
    digest: 'c70df531ab93ad34286edb81a5670770f81e311abc6b3dc41d6743f1976682ba',
  },
  {
    name: 'another region: its own endpoint of STS',
    place: prod,
    sessionToken: '',
    length: 501,
    digest: '4e9ce19d740a80303147e03bed58b4e7e541d06b39b851706f713fd69b1617d7',
  },
  {
    name: 'temporary credentials: their token is signed as well',
    place: prod,
    sessionToken: 'FwoGZXIvYXdzEXAMPLE//////////wEaDExample+Token/==',
    length: 633,
    digest: 'c01e7d016284770656b51248ceb9855bb6898a023eec97b11686949dcfdc71f5',
  },
]

t.test('§8.1: tokens are those that AWS’s own tools make', async (t) => {
  for (const { name, place, sessionToken, length, digest } of vectors) {
    const token = await clusterToken(place, { ...keys, sessionToken }, now)
    t.equal(token.length, length, name)
    t.equal(createHash('sha256').update(token).digest('hex'), digest, name)
  }
})

t.test('§8.1: a token holds nothing but what the verifier takes', async (t) => {
  const token = await clusterToken(demo, { ...keys, sessionToken: 'session' }, now)
  const url = new URL(Buffer.from(token.replace('k8s-aws-v1.', ''), 'base64url').toString())
  t.same([url.protocol, url.host, url.pathname], ['https:', 'sts.us-east-1.amazonaws.com', '/'])
  t.same([...url.searchParams.keys()].sort(), [
    'Action',
    'Version',
    ...['Algorithm', 'Credential', 'Date', 'Expires', 'Security-Token', 'Signature', 'SignedHeaders'].map(
      (name) => `X-Amz-${name}`,
    ),
  ])
  t.equal(url.searchParams.get('X-Amz-SignedHeaders'), 'host;x-k8s-aws-id')
})

t.test('the partition of China has a domain of its own', async (t) => {
  const token = await clusterToken({ ...demo, partition: 'aws-cn', region: 'cn-north-1' }, keys, now)
  t.match(Buffer.from(token.slice(11), 'base64url').toString(), /^https:\/\/sts\.cn-north-1\.amazonaws\.com\.cn\/\?/)
})
