import { duplexPair } from 'node:stream'
import t from 'tap'
import type { Doorman, Identity } from '../../../proxy/doorman.ts'
import { receiveFromWebsocket } from '../../../proxy/postgres/sign-in/downstream.ts'
import type { BrokerError, ClientOrigin } from '../../../proxy/session.ts'
import fc from '../../fast-check.ts'
import { scriptedDoorman } from '../relay/scripted-doorman.ts'
import { readAll, readError } from './port.ts'

const origin: ClientOrigin = { address: '192.0.2.7', port: 4711, via: 'websocket' }
const identity: Identity = { principalId: 'prn_bob', name: 'bob', credential: { kind: 'login', id: 'lgn_1' } }
const known = { identity, resourceId: 'rds-postgres/1/eu-west-1/orders', client: origin, tool: 'sallyport psql' }
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const gssEncRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30])
/** int32 length 23, 3.0, user=a, database=b */
const startup = Buffer.concat([Buffer.from([0, 0, 0, 27, 0, 3, 0, 0]), Buffer.from('user\0a\0database\0b\0\0')])

function open(signInMs = 5000) {
  const [client, stream] = duplexPair({ allowHalfOpen: false }) // as those of websockets
  const [failures, refused] = [[] as string[], [] as BrokerError[]]
  const unasked = () => {
    throw new Error('not asked here')
  }
  const doorman: Doorman = {
    ...scriptedDoorman({ kind: 'rds-postgres', engine: unasked, lease: unasked }).host.doorman,
    refused: (_ask, error) => failures.push(error.code),
    unidentifiedClientFailed: (code) => failures.push(`unidentified ${code}`),
  }
  const parts = { host: { doorman }, signInMs, onRefused: (error: BrokerError) => refused.push(error) }
  return { client, stream, failures, refused, received: receiveFromWebsocket(parts, stream, known) }
}

t.test('a startup message is enough; nothing is answered yet, and what follows is kept', async (t) => {
  const { client, stream, received } = open()
  client.write(Buffer.concat([startup, Buffer.from('ahead')]))
  t.match(await received, {
    kind: 'client',
    client: {
      identity,
      resourceId: known.resourceId,
      client: origin,
      database: 'b',
      tool: 'sallyport psql',
      ahead: Buffer.from('ahead'),
    },
  })
  t.equal(client.read(), null)
  stream.on('data', (chunk: Buffer) => stream.write(chunk))
  client.write('more')
  for await (const chunk of client) {
    t.equal(String(chunk), 'more', 'the stream flows on')
    break
  }
})

t.test('encryption is declined, once each', async (t) => {
  const { client, received, failures } = open()
  client.write(gssEncRequest)
  await new Promise((resolve) => client.once('readable', resolve))
  t.equal(String(client.read()), 'N')
  client.write(sslRequest)
  await new Promise((resolve) => client.once('readable', resolve))
  t.equal(String(client.read()), 'N')
  client.write(sslRequest)
  t.match(readError(await readAll(client)), { C: '08P01', M: /unexpected encryption request/ })
  t.equal(await received, undefined)
  t.strictSame(failures, ['PROTOCOL_ERROR'])
})

t.test('a CancelRequest comes through with its key', async (t) => {
  const { client, stream, received } = open()
  client.write(Buffer.from([0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 7, 1, 2, 3, 4]))
  t.match(await received, { kind: 'cancel', ask: { id: 7, key: Buffer.from([1, 2, 3, 4]), origin }, stream })
})

t.test('TLS is refused here, and so is anything else', async (t) => {
  for (const bytes of [Buffer.from([0x16, 3, 1, 2, 0]), Buffer.from('GET / HTTP/1.1')]) {
    const { client, received, refused } = open()
    client.write(bytes)
    t.match(readError(await readAll(client)), { C: '08P01', M: /invalid length/ })
    t.equal(await received, undefined)
    t.match(refused, [{ code: 'PROTOCOL_ERROR' }])
  }
})

t.test('a client that says nothing is ended at the deadline; one that left is not counted', async (t) => {
  const silent = open(50)
  t.match(readError(await readAll(silent.client)), { M: /too long/ })
  t.strictSame(silent.failures, ['HANDSHAKE_TIMEOUT'])
  const gone = open()
  gone.client.end(startup.subarray(0, 5))
  t.equal(await gone.received, undefined)
  t.ok(gone.stream.destroyed)
  t.strictSame(gone.failures, [])
})

t.test('any bytes give a client, a cancel or a refusal, and never a failure of ours', async (t) => {
  const pieces = fc.constantFrom(sslRequest, gssEncRequest, startup, startup.subarray(0, 12), Buffer.from([0, 0, 0, 9]))
  const bytes = fc.oneof(pieces, fc.uint8Array({ maxLength: 40 }))
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 4 }), async (sent) => {
      const { client, received, failures } = open()
      client.resume()
      for (const chunk of sent) client.write(chunk)
      client.end()
      const result = await received
      const isFine = failures.every((code) => code === 'PROTOCOL_ERROR' || code === 'UNSUPPORTED')
      return isFine && (result === undefined || failures.length === 0)
    }),
    { numRuns: 300 },
  )
  t.pass()
})
