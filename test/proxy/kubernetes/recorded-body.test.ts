import t from 'tap'
import { BodyCapture, type RecordedBody } from '../../../proxy/kubernetes/recorded-body.ts'
import { Digests } from '../../../proxy/recording/digests.ts'
import fc from '../../fast-check.ts'

const digests = new Digests(Buffer.alloc(32, 7))
const secrets = { group: '', resource: 'secrets' }
const deployments = { group: 'apps', resource: 'deployments' }

function capture(contentType: string, of: typeof secrets, ...chunks: readonly string[]): RecordedBody | null {
  const body = new BodyCapture(contentType, of, digests)
  for (const chunk of chunks) body.push(Buffer.from(chunk, 'latin1'))
  return body.end()
}

const secret = (data: object, more: object = {}) => ({
  kind: 'Secret',
  apiVersion: 'v1',
  metadata: { name: 's', ...more },
  ...data,
})

t.test('a body is recorded as JSON', async (t) => {
  t.equal(capture('application/json', deployments), null)
  t.same(capture('application/json; charset=utf-8', deployments, '{"kind": "Deploy', 'ment"}'), {
    body: '{"kind":"Deployment"}',
  })
  t.same(capture('application/json-patch+json', deployments, '[{"op":"replace","path":"/spec","value":1}]'), {
    body: '[{"op":"replace","path":"/spec","value":1}]',
  })
  t.same(capture('application/apply-patch+yaml', deployments, 'kind: Deployment\nspec:\n  replicas: 2\n'), {
    body: '{"kind":"Deployment","spec":{"replicas":2}}',
  })
  t.same(capture('application/yaml', { group: '', resource: 'configmaps' }, '{"data":{"a":"b"}}'), {
    body: '{"data":{"a":"b"}}',
  })
})

/** Each way by which the value of a Secret comes in. */
const bodies: readonly (readonly [what: string, contentType: string, body: string, shown: string])[] = [
  [
    'data',
    'application/json',
    JSON.stringify(secret({ type: 'Opaque', data: { key: 'aHVudGVyMg==' } })),
    JSON.stringify(secret({ type: 'Opaque', data: { key: '[redacted]' } })),
  ],
  [
    'stringData, in a merge patch',
    'application/merge-patch+json',
    '{"stringData":{"key":"hunter2"}}',
    '{"stringData":{"key":"[redacted]"}}',
  ],
  [
    'a strategic merge patch',
    'application/strategic-merge-patch+json',
    '{"data":{"key":"hunter2"}}',
    '{"data":{"key":"[redacted]"}}',
  ],
  [
    'a JSON patch',
    'application/json-patch+json',
    '[{"op":"add","path":"/data/key","value":"hunter2"}]',
    '[{"op":"add","path":"/data/key","value":"[redacted]"}]',
  ],
  [
    'a JSON patch of all',
    'application/json-patch+json',
    '[{"op":"add","path":"","value":{"data":{"key":"hunter2"}}}]',
    '[{"op":"add","path":"","value":{"data":"[redacted]"}}]',
  ],
  ['capitals', 'application/json', '{"Data":{"key":"hunter2"}}', '{"Data":{"key":"[redacted]"}}'],
  ['a value that is no mapping', 'application/json', '{"data":["hunter2"]}', '{"data":"[redacted]"}'],
  ['YAML', 'application/apply-patch+yaml', 'data:\n  key: hunter2\n', '{"data":{"key":"[redacted]"}}'],
  [
    'what kubectl applied last',
    'application/json',
    JSON.stringify(
      secret({}, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"key":"hunter2"}}' } }),
    ),
    JSON.stringify(secret({}, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '[redacted]' } })),
  ],
]

for (const [what, contentType, body, shown] of bodies)
  t.test(`the value of a Secret is masked: ${what}`, async (t) => {
    t.same(capture(contentType, secrets, body), { body: shown, hmac: digests.of(Buffer.from(body)) })
  })

t.test('a Secret within another object is masked, by its kind', async (t) => {
  const list = {
    kind: 'List',
    items: [secret({ data: { key: 'hunter2' } }), { kind: 'ConfigMap', data: { key: 'shown' } }],
  }
  const recorded = capture('application/json', deployments, JSON.stringify(list))
  t.match(recorded, { body: /"key":"\[redacted\]".*"key":"shown"/ })
})

t.test('the token of a token review is masked', async (t) => {
  t.match(
    capture(
      'application/json',
      { group: 'authentication.k8s.io', resource: 'tokenreviews' },
      '{"spec":{"token":"hunter2"}}',
    ),
    {
      body: '{"spec":{"token":"[redacted]"}}',
    },
  )
})

t.test('what cannot be shown leaves its type, size and digest', async (t) => {
  const cases: readonly (readonly [contentType: string, body: string])[] = [
    ['application/vnd.kubernetes.protobuf', 'k8s\0\n\x04\n\x02v1'],
    ['application/cbor', '\xd9\xd9\xf7\xa0'],
    ['', '{}'],
    ['application/json', '{"data":'],
    ['application/yaml', 'a: [b'],
    ['application/yaml', 'a: &x [1]\nb: *x\n'],
    ['application/yaml', `a: ${'x'.repeat(16_384)}`],
    ['application/yaml', '['.repeat(16_000)],
    ['application/json', '['.repeat(60_000)],
    ['application/json', `{"a":"${'x'.repeat(65_536)}"}`],
  ]
  for (const [contentType, body] of cases)
    t.same(capture(contentType, secrets, ...(body.match(/.{1,1000}/gs) ?? [])), {
      opaque: contentType,
      bytes: body.length,
      hmac: digests.of(Buffer.from(body, 'latin1')),
    })
})

t.test('nothing of a body is written as a warning', async (t) => {
  const warnings: unknown[] = []
  const note = (warning: unknown) => void warnings.push(warning)
  process.on('warning', note)
  t.match(capture('application/yaml', secrets, '%SECRET hunter2\n---\ndata: {k: hunter2}\n'), {
    body: '{"data":{"k":"[redacted]"}}',
  })
  await new Promise((done) => setImmediate(done))
  process.off('warning', note)
  t.same(warnings, [])
})

t.test('no value of a Secret is ever in the recording', async () => {
  const object = fc.dictionary(
    fc.constantFrom('data', 'stringData', 'metadata', 'kind', 'x'),
    fc.jsonValue({ maxDepth: 2 }),
  )
  const canary = 'hunter2-canary'
  fc.assert(
    fc.property(object, fc.constantFrom('data', 'stringData'), fc.string(), (object, member, name) => {
      const body = JSON.stringify({ ...object, [member]: { [name]: canary } })
      return !JSON.stringify(capture('application/json', secrets, body)).includes(canary)
    }),
  )
})
