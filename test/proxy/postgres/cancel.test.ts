/** A cancel request that comes in: how long its connection stays. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { createPostgres } from '../../../proxy/postgres/protocol.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'

/** int<4> length, int<4> code, int<4> pid, key. */
const cancelRequest = Buffer.from('0000001004d2162e0000000701020304', 'hex')

const scripted = scriptedDoorman({
  kind: 'rds-postgres',
  engine: () => {
    throw new Error('not asked here')
  },
  lease: () => Promise.reject(new Error('not asked here')),
})
const { host, seen, errors } = scripted
const protocol = createPostgres({
  host,
  reach: direct,
  trust: new Trust(),
  onError: (error) => errors.push(error),
  onRefused: (error) => errors.push(error),
  now: () => Date.now(),
})
const sockets: Socket[] = []
const resourceId = 'rds-postgres/111122223333/eu-west-1/orders'
const server = createServer((socket) => {
  sockets.push(socket)
  void protocol.serveStream(socket, { identity, resourceId, client: origin })
})
t.teardown(() => server.close())
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

t.test('a client that hangs up behind its cancel is let go then, and not at a deadline', async (t) => {
  for (const more of [Buffer.alloc(0), Buffer.from('more'), Buffer.alloc(300_000, 1)]) {
    const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    t.teardown(() => client.destroy())
    client.end(Buffer.concat([cancelRequest, more]))
    client.resume()
    await once(client, 'close')
    const socket = sockets.at(-1)
    await waitUntil(() => socket?.closed ?? false, 'it is closed')
    t.equal(socket?.readableEnded, true, `its end was read, behind ${more.length} bytes more`)
  }
  t.strictSame(seen.unidentified, ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
  t.strictSame(errors, [])
})
