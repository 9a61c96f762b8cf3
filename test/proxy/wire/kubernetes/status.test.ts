import t from 'tap'
import { encodeFailure, encodeWatchError, readExitStatus } from '../../../../proxy/wire/kubernetes/status.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

t.test('a failure has what kubectl prints, and what clients go by', async (t) => {
  t.same(JSON.parse(encodeFailure(403, 'no grant', { kind: 'pods', name: 'web', group: '' })), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'no grant',
    reason: 'Forbidden',
    details: { kind: 'pods', name: 'web', group: '' },
    code: 403,
  })
  const reasons = { 400: 'BadRequest', 401: 'Unauthorized', 410: 'Expired', 503: 'ServiceUnavailable' } as const
  for (const [code, reason] of Object.entries(reasons))
    t.match(JSON.parse(encodeFailure(Number(code) as keyof typeof reasons, '')), { reason, code: Number(code) })
  t.match(JSON.parse(encodeFailure(429, 'wait', { retryAfterSeconds: 2 })), {
    reason: 'TooManyRequests',
    details: { retryAfterSeconds: 2 },
  })
  t.notOk('details' in JSON.parse(encodeFailure(502, '')))
})

t.test('the last event of a watch is one line', async (t) => {
  const event = encodeWatchError(410, 'the grant\nhas ended')
  t.match(event, /^[^\n]+\n$/)
  t.match(JSON.parse(event), { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
})

const ended = (status: object) => readExitStatus(Buffer.from(JSON.stringify(status)))
const withCause = (message: unknown, reason = 'ExitCode') => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: 'command terminated with non-zero exit code',
  details: { causes: [{ reason, message }] },
})

t.test('how a program ended', async (t) => {
  t.same(ended({ metadata: {}, status: 'Success' }), { exitCode: 0 })
  t.same(ended(withCause('137')), { exitCode: 137 })
  t.same(ended({ status: 'Failure', message: 'no such container' }), { exitCode: null, message: 'no such container' })
  for (const odd of [
    withCause('x'),
    withCause(1),
    withCause('1', 'Other'),
    { ...withCause('1'), details: { causes: 7 } },
  ])
    t.match(ended(odd), { exitCode: null })
  for (const wrong of ['', '[]x', 'null', '{"status":"Maybe"}', '7'])
    t.throws(() => readExitStatus(Buffer.from(wrong)), WireError)
  t.throws(() => readExitStatus(Buffer.from('{"status":"Success"}'.padEnd(65_537))), WireError)
})
