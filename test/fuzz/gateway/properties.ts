import { createCipheriv, randomBytes } from 'node:crypto'
import fc from '../../fast-check.ts'
import { buildFrame } from '../../sandbox/ssm/frames.ts'
import { type Act, bytesInUse, type Channels, dataKey, openGatewayHouse, type Script } from './house.ts'

/** Beyond what a channel may hold: early messages and unread output of three kinds, each far below a MiB or two. */
const mostBytes = 8 * 1024 * 1024
const id = '00000000-0000-4000-8000-000000000000'
const readable = 'readable'

interface Frame {
  readonly type: string
  readonly sequence: number
  readonly payloadType: number
  readonly payload: Buffer
}

const frameOf = ({ type, sequence, payloadType, payload }: Frame): Buffer =>
  buildFrame({ type, sequence, flags: 0, id, payloadType, payload }, Date.now())
const data = (sequence: number, payloadType: number, payload: Buffer | string): Act => ({
  say: frameOf({ type: 'output_stream_data', sequence, payloadType, payload: Buffer.from(payload) }),
})

/** As an honest agent begins, up to where the session is open. @returns with the next sequence number */
function beginning(session: Script['session']): { acts: Act[]; next: number } {
  if (session === 'shell') return { acts: [], next: 0 }
  const type = session === 'port' ? 'Port' : 'Standard_Stream'
  const actions: object[] = [{ ActionType: 'SessionType', ActionParameters: { SessionType: type, Properties: {} } }]
  if (session === 'sealed') actions.push({ ActionType: 'KMSEncryption', ActionParameters: { KMSKeyId: 'key' } })
  const request = JSON.stringify({ AgentVersion: '3.3.987.0', RequestedClientActions: actions })
  const complete = data(1, 7, '{"HandshakeTimeToComplete":1,"CustomerMessage":"hello"}')
  return { acts: [data(0, 5, request), { await: 6 }, complete], next: 2 }
}

/** As the agent does, with its half of the data key. */
function sealed(plaintext: Buffer): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', dataKey.subarray(0, 32), nonce)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

const smux = fc
  .tuple(fc.constantFrom(1, 1, 1, 1, 2), fc.constantFrom(0, 1, 2, 2, 2, 3, 4), fc.constantFrom(3, 5, 0), fc.nat(70_000))
  .map(([version, command, stream, length]) => {
    const head = Buffer.from([version, command, length & 0xff, (length >> 8) & 0xff, stream, 0, 0, 0])
    return Buffer.concat([head, Buffer.alloc(command === 2 ? Math.min(length, 40) : 0)])
  })
const texts = [
  '{}',
  'null',
  '{"AgentVersion":"3","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port"}}]}',
  '{"AgentVersion":"9.9.9.9","RequestedClientActions":[{"ActionType":"x"}]}',
  '{"HandshakeTimeToComplete":1}',
  '{"Challenge":"AAAA"}',
  'EXIT_CODE: 3',
  'EXIT_CODE: 99999999999',
  '{"AcknowledgedMessageSequenceNumber":0}',
  '{"AcknowledgedMessageSequenceNumber":9007199254740991}',
  '{"Output":7}',
  `{"Output":"${'x'.repeat(70_000)}"}`,
  '\0\0\0\x03',
  readable,
]
const payload = fc.oneof(
  fc.constantFrom(...texts).map((text) => Buffer.from(text)),
  { weight: 4, arbitrary: fc.constant(Buffer.from(readable)) },
  smux,
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(1024, 130_000, 170_000).map((length) => Buffer.alloc(length, 'y')),
)
const types = ['acknowledge', 'channel_closed', 'pause_publication', 'start_publication', 'input_stream_data', 'x', '']
const frame = fc.record({
  type: fc.oneof({ weight: 4, arbitrary: fc.constant('output_stream_data') }, fc.constantFrom(...types)),
  sequence: fc.oneof(
    { weight: 6, arbitrary: fc.nat(6) },
    { weight: 3, arbitrary: fc.constant(0) },
    fc.constantFrom(1000, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, Number.MIN_SAFE_INTEGER),
  ),
  payloadType: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(1, 1, 1, 11) }, fc.nat(13), fc.constant(0xffff_ffff)),
  payload,
})
/** One wrong byte, one end too early or too late, or none of it. */
const edits = fc.oneof(
  { weight: 6, arbitrary: fc.constant((bytes: Buffer) => bytes) },
  fc.tuple(fc.nat(4096), fc.nat(255)).map(([at, value]) => (bytes: Buffer) => {
    const edited = Buffer.from(bytes)
    edited[at % edited.length] = value
    return edited
  }),
  fc.nat(200).map((length) => (bytes: Buffer) => bytes.subarray(0, length)),
  fc.uint8Array({ maxLength: 40 }).map((more) => (bytes: Buffer) => Buffer.concat([bytes, more])),
)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(frame, edits).map(([one, edit]) => ({ say: edit(frameOf(one)) })) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ say: Buffer.from(bytes) })) },
  { weight: 1, arbitrary: fc.constantFrom('', '{}', 'text').map((text) => ({ say: Buffer.from(text), isText: true })) },
  { weight: 1, arbitrary: fc.constantFrom<Act>({ close: 1000 }, { close: 1011 }, { cut: true }) },
)
const script = fc
  .record({
    session: fc.constantFrom('shell', 'sealed', 'port'),
    isBegun: fc.boolean(),
    reads: fc.boolean(),
    first: fc.array(act, { maxLength: 12 }),
    more: fc.array(fc.array(act, { maxLength: 6 }), { maxLength: 1 }),
  })
  .map(({ session, isBegun, reads, first, more }): Script => {
    const begun = isBegun ? beginning(session).acts : []
    return { session, isHonest: false, reads, acts: [[...begun, ...first], ...more] }
  })

/** Of faults in our own code, which the channel would pass off as the network's. */
const ownFaults = ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'AssertionError']

/** What holds whatever a gateway, or an agent behind it, says. The caller closes the house. */
export async function openGateway(channels: Channels) {
  const house = await openGatewayHouse(channels)
  const properties: Readonly<Record<string, fc.IRawProperty<unknown>>> = {
    'whatever it says, the session ends in words, and what is sealed shows nothing in clear': fc.asyncProperty(
      script,
      async (said) => {
        const { end, shown } = await house.run(said)
        if (said.session === 'sealed' && shown.includes(readable)) throw new Error('it was shown without encryption')
        if (end.reason !== 'failed') return
        const { name, message, cause } = end.error
        if (name !== 'BrokerError' || message.trim() === '') throw new Error(`not in words: ${end.error}`)
        const fault = cause instanceof Error && ownFaults.includes(cause.name) ? cause.stack : undefined
        if (fault !== undefined) throw new Error(`a failure of our own: ${fault}`)
      },
    ),
    'messages out of order, twice and late arrive as they were sent, and each is acknowledged': fc.asyncProperty(
      fc.constantFrom('shell', 'sealed'),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 30 }),
      fc.infiniteStream(fc.nat(1000)),
      async (session, parts, random) => {
        const { acts, next } = beginning(session)
        const messages = parts.map((part, i) => {
          const plaintext = Buffer.from(part)
          return data(next + i, 1, session === 'sealed' ? sealed(plaintext) : plaintext)
        })
        const twice = messages.filter((_, i) => i % 3 === 0)
        const shuffled = [...messages, ...twice]
          .map((message) => ({ message, key: random.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ message }) => message)
        const { shown, acknowledged } = await house.run({
          session,
          isHonest: true,
          reads: true,
          acts: [[...acts, ...shuffled]],
        })
        const wanted = Buffer.concat(parts)
        if (!shown.equals(wanted)) throw new Error(`shown ${shown.toString('hex')}, not ${wanted.toString('hex')}`)
        const missing = messages.findIndex((_, i) => !acknowledged.includes(next + i))
        if (missing >= 0) throw new Error(`the message ${next + missing} was not acknowledged`)
      },
    ),
    'a flood that is early, or that nobody reads, is not kept': fc.asyncProperty(
      fc.constantFrom('shell', 'sealed', 'port'),
      fc.boolean(),
      fc.constantFrom(16_384, 100_000),
      async (session, isEarly, length) => {
        const { acts, next } = beginning(session)
        const plaintext = session === 'port' ? streamData(length) : Buffer.alloc(length, 'y')
        const payload = session === 'sealed' ? sealed(plaintext) : plaintext
        const count = Math.ceil((2.5 * mostBytes) / length)
        const flood = lazily(count, (i) => data(next + i + (isEarly ? 1 : 0), 1, payload))
        const before = bytesInUse()
        let held = 0
        await house.run({ session, isHonest: session !== 'shell', reads: false, acts: [[...acts, ...flood]] }, () => {
          held = bytesInUse() - before
        })
        if (held > mostBytes) throw new Error(`${held} bytes were held`)
      },
    ),
  }
  return { properties, close: house.close }
}

/** Made only when they are said, so that nothing but the channel could hold them. */
function lazily(count: number, make: (i: number) => Act): Act[] {
  return Array.from({ length: count }, (_, i) => ({
    get say() {
      return (make(i) as { say: Buffer }).say
    },
  }))
}

/** Of the stream that was opened first. */
function streamData(length: number): Buffer {
  const most = 32_768
  const parts: Buffer[] = []
  for (let left = length; left > 0; left -= most) {
    const size = Math.min(left, most)
    parts.push(Buffer.from([1, 2, size & 0xff, size >> 8, 3, 0, 0, 0]), Buffer.alloc(size, 'y'))
  }
  return Buffer.concat(parts)
}
