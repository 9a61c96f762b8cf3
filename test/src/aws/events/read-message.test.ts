import t from 'tap'
import { EventProblem } from '../../../../src/aws/events/read-event.ts'
import { holdsRecords, readMessage } from '../../../../src/aws/events/read-message.ts'
import { callEvent, samples } from './event-samples.ts'

const read = (message: unknown) => readMessage(JSON.stringify(message))
const envelope = (message: unknown) => ({ Type: 'Notification', MessageId: '1', Message: JSON.stringify(message) })
const event = callEvent(samples.createRole)
const key = 'AWSLogs/o-exampleorgid/222222222222/CloudTrail/eu-west-1/2026/01/15/222222222222_CloudTrail_x.json.gz'
const notice = (eventName: string, given = key) => ({
  Records: [{ eventSource: 'aws:s3', eventName, s3: { bucket: { name: 'trail' }, object: { key: given, size: 1 } } }],
})
const objects = [{ bucket: 'trail', key }]

t.test('events, and notices about objects, in whichever envelope', (t) => {
  for (const wrap of [(one: unknown) => one, envelope]) {
    t.same(read(wrap(event)), { kind: 'event', event })
    t.same(read(wrap(notice('ObjectCreated:Put'))), { kind: 'objects', objects })
    t.same(read(wrap({ s3Bucket: 'trail', s3ObjectKey: [key] })), { kind: 'objects', objects })
    t.same(read(wrap({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'trail' })), { kind: 'none' })
    t.same(read(wrap(notice('ObjectRemoved:Delete'))), { kind: 'none' })
  }
  const created = {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    detail: { bucket: { name: 'trail' }, object: { key } },
  }
  t.same(read(created), { kind: 'objects', objects })
  t.same(read(notice('ObjectCreated:Put', 'a%20b%2Fc+d')), {
    kind: 'objects',
    objects: [{ bucket: 'trail', key: 'a b/c d' }],
  })
  t.end()
})

t.test('a subscription is never confirmed, and an envelope is opened once', (t) => {
  t.same(read({ Type: 'SubscriptionConfirmation', SubscribeURL: 'https://example.com/' }), { kind: 'none' })
  t.throws(() => read(envelope(envelope(event))), EventProblem)
  t.end()
})

t.test('a probe', (t) => {
  const id = '0123456789abcdef'
  const probe = { source: 'sallyport', 'detail-type': 'Sallyport Probe', detail: { id, mac: 'k.m' } }
  t.same(read(probe), { kind: 'probe', id, mac: 'k.m' })
  t.throws(() => read({ ...probe, detail: { id: 'another form', mac: 'k.m' } }), EventProblem)
  t.throws(() => read({ ...probe, detail: { id } }), EventProblem)
  t.end()
})

t.test('anything else cannot be read', (t) => {
  for (const body of ['', 'text', '[]', 'null', '{}', '7', '{"Records":{}}', '{"detail-type":"x"}', '{"Message":"{}"}'])
    t.throws(() => readMessage(body), EventProblem, body)
  for (const wrong of [
    { s3Bucket: 'trail', s3ObjectKey: [] },
    { s3Bucket: 'trail', s3ObjectKey: key },
    { s3Bucket: '../trail', s3ObjectKey: [key] },
    { s3Bucket: 'trail', s3ObjectKey: [''] },
    { s3Bucket: 'trail', s3ObjectKey: ['x'.repeat(1025)] },
    { s3Bucket: 'trail', s3ObjectKey: Array.from({ length: 101 }, () => key) },
    notice('ObjectCreated:Put', '%E0%A4%A'),
    { Records: [null] },
    { Records: [{ ...notice('x').Records[0], eventSource: 'aws:sns' }] },
  ])
    t.throws(() => read(wrong), EventProblem, JSON.stringify(wrong))
  t.end()
})

t.test('objects of a trail that hold no records', (t) => {
  const bucket = 'trail'
  t.ok(holdsRecords({ bucket, key }))
  t.ok(holdsRecords({ bucket, key: `prefix/${key.replace('o-exampleorgid/', '')}` }))
  for (const other of [
    key.replace('CloudTrail/', 'CloudTrail-Digest/'),
    key.replace('CloudTrail/', 'CloudTrail-Insight/'),
    key.replace('.gz', ''),
    'AWSLogs/222222222222/Config/eu-west-1/2026/1/15/x.json.gz',
    'secret.json.gz',
  ])
    t.notOk(holdsRecords({ bucket, key: other }), other)
  t.end()
})
