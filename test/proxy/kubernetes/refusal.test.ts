import t from 'tap'
import { encodeRefusal } from '../../../proxy/kubernetes/refusal.ts'
import { readAttributes } from '../../../proxy/wire/kubernetes/attributes.ts'

t.test('of a request for objects: a Status that names them', async (t) => {
  const { contentType, body } = encodeRefusal(
    readAttributes('GET', '/apis/apps/v1/namespaces/a/deployments/b'),
    403,
    'no',
  )
  t.equal(contentType, 'application/json')
  t.match(JSON.parse(body), { code: 403, message: 'no', details: { name: 'b', group: 'apps', kind: 'deployments' } })
})

t.test('of discovery: a text, since kubectl prints "unknown" for a Status', async (t) => {
  for (const path of ['/api', '/apis', '/api/v1', '/apis/apps/v1', '/version'])
    t.same(encodeRefusal(readAttributes('GET', `${path}?timeout=32s`), 403, 'no'), {
      contentType: 'text/plain',
      body: 'no',
    })
  t.same(encodeRefusal(readAttributes('GET', '/api'), 502, 'lost'), { contentType: 'text/plain', body: 'lost' })
  t.equal(encodeRefusal(readAttributes('GET', '/api'), 503, 'away', 1).contentType, 'application/json')
})

t.test('when to try again', async (t) => {
  t.match(JSON.parse(encodeRefusal(null, 429, 'slowly', 2).body), { code: 429, details: { retryAfterSeconds: 2 } })
  t.notOk('details' in JSON.parse(encodeRefusal(null, 400, 'what').body))
})
