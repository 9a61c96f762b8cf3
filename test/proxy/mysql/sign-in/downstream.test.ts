import t, { type Test } from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import { createAuthority } from '../../../sandbox/certificates.ts'
import { waitUntil } from '../../../wait-until.ts'
import {
  connect,
  identity,
  openPort,
  type Port,
  resourceId,
  type Script,
  scriptedEnd,
  threadId,
  token,
  tokenId,
} from '../port.ts'
import {
  type Cutting,
  errorOf,
  flag,
  greetingOf,
  type LoginWords,
  login,
  Packets,
  packet,
  sha2Answer,
  sslRequest,
  startTls,
  text,
} from '../raw-client.ts'

/** After the greeting, inside TLS: the scramble that it named, and the packets from there. */
async function inside(t: Test, port: Port, cutting?: Cutting) {
  const packets = new Packets(await connect(t, port))
  const greeting = greetingOf((await packets.next()).payload)
  const tls = await startTls(t, packets, { ca: port.ca }, cutting)
  return { ...greeting, tls, packets: new Packets(tls) }
}

type Inside = Awaited<ReturnType<typeof inside>>

const say = ({ tls }: Inside, sequence: number, ...parts: readonly Buffer[]) => tls.write(packet(sequence, ...parts))

/** By the fast path. */
const proving = ({ scramble }: Inside, password = token): LoginWords => ({
  user: `t_${tokenId}`,
  answer: sha2Answer(password, scramble),
})

t.test('the greeting is one that every client understands, and promises only what every server has', async (t) => {
  const port = await openPort(t)
  const scrambles = new Set<string>()
  for (let i = 0; i < 50; i += 1) {
    const packets = new Packets(await connect(t, port))
    const { sequence, payload } = await packets.next()
    t.equal(sequence, 0)
    const { scramble, capabilities, ...greeting } = greetingOf(payload)
    t.match(greeting, { protocol: 10, version: /^8\.0\.\d+-/, threadId, charset: 45, plugin: 'caching_sha2_password' })
    t.equal(capabilities, 0x00bf_afcf)
    t.notOk(scramble.includes(0) || scramble.includes('$'))
    t.equal(scramble.length, 20)
    scrambles.add(scramble.toString('hex'))
    packets.stream.destroy()
  }
  t.equal(scrambles.size, 50, 'each has a scramble of its own')
})

for (const cutting of ['as they come', 'with the request', 'byte by byte'] as const)
  t.test(`a token by the fast path, with the TLS handshake ${cutting}`, async (t) => {
    const port = await openPort(t)
    const client = await inside(t, port, cutting)
    const attributes = { program_name: 'checkout', _pid: '7' }
    say(client, 2, login({ ...proving(client), database: 'shop', attributes, capabilities: flag.queryAttributes }))
    t.same(await client.packets.next(), { sequence: 3, payload: Buffer.from([1, 3]) }, 'no password is asked for')
    const { sequence, payload } = await client.packets.next()
    t.equal(sequence, 4)
    t.match(errorOf(payload), { number: 1040, state: '08004', text: new RegExp(scriptedEnd) })
    t.same(port.claims, [{ by: 'proof', tokenId }])
    t.match(port.received[0], {
      identity,
      resourceId,
      level: 'readonly',
      database: 'shop',
      tool: 'checkout',
      threadId,
      sequence: 4,
      charset: 45,
      maxPacketBytes: 0x100_0000,
      attributes: Object.entries(attributes),
    })
    t.notOk((port.received[0]?.capabilities ?? 0) & flag.queryAttributes, 'what was not offered is not believed')
    t.same(port.phases, ['rds-mysql identify'])
  })

t.test('a token as the password, under any name', async (t) => {
  const port = await openPort(t)
  const client = await inside(t, port)
  say(client, 2, login({ user: 'alice', answer: sha2Answer(token, client.scramble) }))
  t.same(await client.packets.next(), { sequence: 3, payload: Buffer.from([1, 4]) }, 'the password is asked for')
  say(client, 4, text(token))
  t.match(errorOf((await client.packets.next()).payload), { number: 1040 })
  t.same(port.claims, [{ by: 'token', token }])
  t.equal(client.packets.all.at(-1)?.sequence, 5)
})

t.test('a client that prefers another plugin is asked again, with another scramble', async (t) => {
  const port = await openPort(t)
  for (const plugin of ['mysql_native_password', 'sha256_password', '']) {
    const client = await inside(t, port)
    say(client, 2, login({ user: `t_${tokenId}`, plugin, answer: Buffer.alloc(20, 7) }))
    const { sequence, payload } = await client.packets.next()
    t.equal(sequence, 3)
    t.equal(payload.toString('latin1', 0, 23), '\xfecaching_sha2_password\0')
    const scramble = payload.subarray(23, 43)
    t.equal(payload.length, 44)
    t.not(scramble.toString('hex'), client.scramble.toString('hex'))
    say(client, 4, sha2Answer(token, scramble))
    t.same((await client.packets.next()).payload, Buffer.from([1, 3]))
    t.match(errorOf((await client.packets.next()).payload), { number: 1040 })
  }
})

t.test('a client that chose mysql_clear_password is taken at its word', async (t) => {
  const port = await openPort(t)
  const client = await inside(t, port)
  say(client, 2, login({ user: `t_${tokenId}`, plugin: 'mysql_clear_password', answer: text(token) }))
  t.match(errorOf((await client.packets.next()).payload), { number: 1040 })
  t.same(port.claims, [{ by: 'token', token }])
})

t.test('whatever is wrong with a token reads the same', async (t) => {
  const gone: Script = {
    identify: async () => {
      throw new BrokerError('TOKEN_INVALID', 'revoked yesterday')
    },
  }
  const cases: [name: string, script: Script, words: (client: Inside) => LoginWords, password?: string][] = [
    ['a wrong proof', {}, (client) => proving(client, 'wrong')],
    [
      'the proof for another scramble',
      {},
      () => ({ user: `t_${tokenId}`, answer: sha2Answer(token, Buffer.alloc(20)) }),
    ],
    ['an unknown id', {}, (client) => ({ ...proving(client), user: 't_unknown' })],
    ['no password', {}, () => ({ user: `t_${tokenId}`, answer: Buffer.alloc(0) })],
    ['an empty password', {}, () => ({ user: 'alice', answer: Buffer.alloc(1) })],
    ['a short proof', {}, () => ({ user: `t_${tokenId}`, answer: Buffer.alloc(31, 1) })],
    ['a wrong password', {}, () => ({ user: 'alice' }), 'wrong'],
    ['a token that was revoked', gone, (client) => proving(client)],
  ]
  const texts = new Set<string>()
  for (const [name, script, words, password] of cases) {
    const port = await openPort(t, script)
    const client = await inside(t, port)
    say(client, 2, login(words(client)))
    if (password !== undefined) {
      await client.packets.next()
      say(client, 4, text(password))
    }
    const error = errorOf((await client.packets.next()).payload)
    t.match(error, { number: 1045, state: '28000' }, name)
    texts.add(error.text)
    t.same(port.failures, ['TOKEN_INVALID'], name)
  }
  t.equal(texts.size, 1)
  t.match([...texts][0], /sallyport connect RESOURCE --token/)
})

t.test('without TLS nothing is asked for', async (t) => {
  const port = await openPort(t)
  const packets = new Packets(await connect(t, port))
  await packets.next()
  packets.stream.write(packet(1, login()))
  const { sequence, payload } = await packets.next()
  t.equal(sequence, 2)
  t.match(errorOf(payload), { number: 3159, state: 'HY000', text: /ssl-mode/ })
  t.same(port.failures, ['TLS_REQUIRED'])
  t.same(port.claims, [])
})

t.test('bytes that no client sends are refused by number, and end the connection', async (t) => {
  const plain: [name: string, bytes: Buffer, number: number][] = [
    ['a packet out of order', packet(3, login()), 1156],
    ['a packet of 16 MB announced', Buffer.from([0xff, 0xff, 0xff, 1]), 1835],
    ['a login that ends early', packet(1, login().subarray(0, 40)), 1835],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1835],
    ['a client of 2003', packet(1, Buffer.from([0x05, 0xa6, 0, 0, 1, 0x6d, 0x65, 0])), 3159],
  ]
  for (const [name, bytes, number] of plain) {
    const port = await openPort(t)
    const packets = new Packets(await connect(t, port))
    await packets.next()
    packets.stream.write(bytes)
    t.match(errorOf((await packets.next()).payload), { number }, name)
    await waitUntil(() => port.open() === 0, 'the port has let it go')
    t.equal(port.failures.length, 1, name)
  }
  const within: [name: string, bytes: Buffer, number: number][] = [
    ['TLS in TLS', sslRequest(2), 1835],
    ['a user without an end', packet(2, login().subarray(0, 36)), 1835],
    ['no plugins', packet(2, Buffer.concat([Buffer.from([0, 0x82, 0, 0]), login().subarray(4)])), 1251],
    ['a proof that is longer than the packet', packet(2, login({ answer: Buffer.alloc(300) }).subarray(0, 60)), 1835],
    ['a user without measure', packet(2, login({ user: 'x'.repeat(300) })), 1835],
  ]
  for (const [name, bytes, number] of within) {
    const port = await openPort(t)
    const client = await inside(t, port)
    client.tls.write(bytes)
    t.match(errorOf((await client.packets.next()).payload), { number }, name)
    t.equal(client.packets.all.at(-1)?.sequence, 3)
    t.same(port.claims, [], name)
  }
})

t.test('a port that is pinned refuses the token of another resource', async (t) => {
  const port = await openPort(t, { options: { resourceId: 'rds-mysql/111122223333/eu-west-1/other' } })
  const client = await inside(t, port)
  say(client, 2, login(proving(client)))
  await client.packets.next()
  t.match(errorOf((await client.packets.next()).payload), { number: 1045, text: /different resource/ })
  t.same(port.failures, ['GRANT_DENIED'])
})

t.test('a certificate that the client refuses, and clients that leave, stall or say nothing', async (t) => {
  const port = await openPort(t)
  const packets = new Packets(await connect(t, port))
  await packets.next()
  await t.rejects(startTls(t, packets, { ca: createAuthority().cert }))
  const leaving = await connect(t, port)
  leaving.end()
  await waitUntil(() => port.open() === 0, 'both are gone')
  t.same(
    port.failures.filter((code) => code !== 'PROTOCOL_ERROR'),
    [],
    'a client that leaves is no failure',
  )
  const hurried = await openPort(t, { options: { signInMs: 300 } })
  const silent = new Packets(await connect(t, hurried))
  await silent.next()
  t.match(errorOf((await silent.next()).payload), { number: 1159, state: '08S01' })
  const stalling = new Packets(await connect(t, hurried))
  await stalling.next()
  stalling.stream.write(sslRequest().subarray(0, 20))
  t.match(errorOf((await stalling.next()).payload), { number: 1159 })
  t.same(hurried.failures, ['HANDSHAKE_TIMEOUT', 'HANDSHAKE_TIMEOUT'])
})
