import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { listenTcp } from '../../../proxy/ports/listener.ts'
import { ProxyHeaders } from '../../../proxy/ports/proxy-header.ts'
import fc from '../../fast-check.ts'
import { waitUntil } from '../../wait-until.ts'

const signature = '0d0a0d0a000d0a515549540a'
/** From the text of the protocol, section 2.2: command, family, length, then source, destination, ports. */
const tcp4 = `${signature}2111000c${'cb007109'}${'0a000001'}${'d431'}${'1538'}`
const tcp6 = `${signature}21210024${'20010db8000000000000000000000009'}${'fd000000000000000000000000000001'}d4311538`
const mapped = `${signature}21210024${'00000000000000000000ffffcb007109'}${'fd000000000000000000000000000001'}d4311538`

/** A port that says who came, and what was left to read. */
async function startPort(t: Test, isBalancer = true) {
  const faults: string[] = []
  const came: { address: string; port: number; text: string }[] = []
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    headers: new ProxyHeaders(
      () => isBalancer,
      (what) => faults.push(what),
    ),
    onConnection: (socket, { address, port }) => {
      const one = { address, port, text: '' }
      came.push(one)
      socket.on('data', (chunk: Buffer) => {
        one.text += chunk.toString()
      })
    },
    onError: (error) => t.fail(error.message),
  })
  t.teardown(() => {
    listener.close()
    listener.drop()
  })
  /** @param pieces sent one after another @returns resolves when the connection is closed */
  const send = (...pieces: (string | Buffer)[]): { socket: Socket; closed: Promise<void> } => {
    const socket = connect(listener.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const closed = new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()))
    socket.setNoDelay(true)
    socket.once('connect', async () => {
      for (const piece of pieces) await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)))
    })
    return { socket, closed }
  }
  return { send, came, faults, listener }
}

const bytes = (hex: string, after = '') => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.from(after)])

t.test('the client is whom the header names, and what follows it is all there', async (t) => {
  const { send, came } = await startPort(t)
  for (const [header, address] of [
    [tcp4, '203.0.113.9'],
    [tcp6, '2001:db8::9'],
    [mapped, '203.0.113.9'],
  ] as const) {
    const { socket } = send(bytes(header, 'hello'))
    await waitUntil(() => came.at(-1)?.text === 'hello')
    t.match(came.at(-1), { address, port: 0xd431 })
    socket.destroy()
    came.length = 0
  }
})

t.test('byte by byte, with extensions, and with none of an address', async (t) => {
  const { send, came, faults } = await startPort(t)
  const extended = `${signature}2111${'0013'}${'cb007109'}${'0a000001'}d4311538${'040004abababab'}`
  send(...[...bytes(extended, 'hello')].map((byte) => Buffer.from([byte])))
  await waitUntil(() => came[0]?.text === 'hello')
  t.match(came[0], { address: '203.0.113.9' })
  send(bytes(`${signature}20000000`, 'check')) // LOCAL: the balancer itself
  await waitUntil(() => came[1]?.text === 'check')
  t.match(came[1], { address: '127.0.0.1' })
  t.same(faults, [])
})

t.test('from a balancer: closed without a good header, and it is said why', async (t) => {
  const { send, came, faults } = await startPort(t)
  const wrong: Record<string, Buffer> = {
    'it began without a header of the PROXY protocol, version 2': Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
    'its header has 4097 bytes': bytes(`${signature}21111001`),
    'its header has an unknown version or command': bytes(`${signature}3111000c${'00'.repeat(12)}`),
    'its header names no TCP address': bytes(`${signature}2131000c${'00'.repeat(12)}`),
    'its header names no TCP address.': bytes(`${signature}2111000b${'00'.repeat(11)}`),
  }
  for (const [what, sent] of Object.entries(wrong)) {
    await send(sent).closed
    t.equal(faults.at(-1), what.replace(/\.$/, ''))
  }
  const version1 = Buffer.from('PROXY TCP4 203.0.113.9 10.0.0.1 54321 5432\r\n')
  await send(version1).closed
  t.match(faults.at(-1), /version 2/)
  t.same(came, [])
})

t.test('from anyone else a header is what it is: bytes', async (t) => {
  const { send, came } = await startPort(t, false)
  send(bytes(tcp4))
  await waitUntil(() => came[0]?.text.includes('QUIT') === true)
  t.match(came[0], { address: '127.0.0.1' })
})

t.test('silence is closed after its time; one that leaves by itself makes no words', async (t) => {
  const { send, came, faults } = await startPort(t)
  const since = performance.now()
  const [silent, half, left] = [send(''), send(bytes(tcp4).subarray(0, 20)), send(bytes(tcp4).subarray(0, 5))]
  left.socket.once('connect', () => setImmediate(() => left.socket.end()))
  await left.closed
  t.ok(performance.now() - since < 4900)
  await Promise.all([silent.closed, half.closed])
  t.ok(performance.now() - since > 4900)
  t.same(came, [])
  t.same(faults.sort(), ['its header was not complete', 'no header of the PROXY protocol came'])
})

t.test('whatever bytes come, in whatever pieces: taken or closed, never more than that', async (t) => {
  const { send, came, faults } = await startPort(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (pieces, isSigned) => {
        const before = came.length + faults.length
        const start = isSigned ? [bytes(signature)] : []
        const { socket, closed } = send(...start, ...pieces.map((piece) => Buffer.from(piece)), 'the end')
        socket.once('connect', () => setImmediate(() => socket.end()))
        await closed
        return came.length + faults.length <= before + 1
      },
    ),
    { numRuns: 60 },
  )
})
