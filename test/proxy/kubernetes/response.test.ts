import t from 'tap'
import { responseHeaders } from '../../../proxy/kubernetes/response.ts'

t.test('CVE-2020-8559, CVE-2022-3172: no redirect goes on', async (t) => {
  for (const status of [300, 301, 302, 303, 305, 307, 308, 399])
    t.throws(() => responseHeaders(status, ['Location', 'https://evil']), { code: 'TARGET_REFUSED' })
  t.same(responseHeaders(304, ['ETag', '"x"']), ['ETag', '"x"'])
})

t.test('headers of the connection and of other clients stay behind, all others go on as they came', async (t) => {
  const kept = [
    ...['Audit-Id', 'a', 'Content-Type', 'application/json', 'Content-Encoding', 'gzip', 'Content-Length', '5'],
    ...[
      'Warning',
      '299 - "old"',
      'Warning',
      '299 - "older"',
      'X-Kubernetes-Pf-Flowschema-Uid',
      'x',
      'Retry-After',
      '1',
    ],
  ]
  const dropped = [
    ...[
      'Connection',
      'close, X-Hop',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=5',
      'Transfer-Encoding',
      'chunked',
      'Trailer',
      'x',
    ],
    ...['Upgrade', 'h2c', 'Set-Cookie', 'a=b', 'Location', '/x', 'WWW-Authenticate', 'Bearer'],
  ]
  t.same(responseHeaders(200, [...dropped, ...kept]), kept)
  t.same(responseHeaders(201, [...kept, ...dropped]), kept)
})
