import t from 'tap'
import { ChannelForwardTap } from '../../../../proxy/kubernetes/streams/channel-forward.ts'
import { SpdyForwardTap } from '../../../../proxy/kubernetes/streams/spdy-forward.ts'
import type { ForwardedConnection, ForwardTap } from '../../../../proxy/kubernetes/streams/tap.ts'
import { TunnelledForwardTap } from '../../../../proxy/kubernetes/streams/tunnelled-forward.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { connection, masked, onChannel, rstStream, spdyData, synReply, synStream, unmasked } from './frames.ts'

function record() {
  const opened: number[] = []
  const ended: string[] = []
  return {
    events: {
      opened: ({ port }: ForwardedConnection) => void opened.push(port),
      ended: ({ port, bytesUp, bytesDown, error }: ForwardedConnection) =>
        void ended.push(`${port}: ${bytesUp} up, ${bytesDown} down${error && `, ${error}`}`),
    },
    opened,
    ended,
  }
}

const up = Buffer.concat([
  connection(1, 80, 0),
  spdyData(3, 'GET /'),
  connection(5, 443, 1),
  spdyData(7, 'hello'),
  spdyData(3, '', true),
])
const down = Buffer.concat([
  ...[1, 3, 5, 7].map((id) => synReply(id, id === 1)),
  spdyData(3, '200 OK'),
  spdyData(5, 'connection refused'),
  spdyData(3, '', true),
  spdyData(1, '', true),
  rstStream(7),
  spdyData(7, 'too late'),
])
const found = ['80: 5 up, 6 down', '443: 5 up, 0 down, connection refused']

/** Slices of a stream of bytes, as messages whose borders mean nothing. */
function sliced(whole: Buffer, wrap: (part: Buffer) => Buffer, step: number): Buffer {
  const messages: Buffer[] = []
  for (let at = 0; at < whole.length; at += step) messages.push(wrap(whole.subarray(at, at + step)))
  return Buffer.concat(messages)
}

interface Form {
  open(events: ReturnType<typeof record>['events']): ForwardTap
  readonly up: Buffer
  readonly down: Buffer
}

const forms: Readonly<Record<string, Form>> = {
  SPDY: { open: (events) => new SpdyForwardTap(events), up, down },
  'SPDY in a websocket': {
    open: (events) => new TunnelledForwardTap(events),
    up: sliced(up, masked, 11),
    down: Buffer.concat([unmasked(Buffer.alloc(0), 9), sliced(down, unmasked, 13)]),
  },
}

for (const [name, { open, up, down }] of Object.entries(forms)) {
  t.test(`${name}: connections with their ports and bytes, in whatever pieces`, async (t) => {
    for (const step of [1, 5, 10_000]) {
      const { events, opened, ended } = record()
      const tap = open(events)
      for (let at = 0; at < up.length; at += step) tap.up(up.subarray(at, at + step))
      t.same(opened, [80, 443])
      for (let at = 0; at < down.length; at += step) tap.down(down.subarray(at, at + step))
      t.same(ended, found.slice(0, 1), 'the other one is open for errors')
      tap.end()
      t.same(ended, found)
      tap.end()
      t.equal(ended.length, 2)
    }
  })

  t.test(`§8.4: ${name}: a cut anywhere ends open connections with the text`, async (t) => {
    const text = 'Sallyport: the grant has ended'
    const wrong = Array.from({ length: down.length + 1 }, (_, at) => {
      const tap = open(record().events)
      tap.up(up)
      tap.down(down.subarray(0, at))
      const before = tap.farewell(text)
      const more = before === null ? tap.complete(down.subarray(at)) : 0
      const farewell = before ?? tap.farewell(text)
      if (farewell === null) return at
      const { events, ended } = record()
      const reader = open(events)
      reader.up(up)
      reader.down(Buffer.concat([down.subarray(0, at + more), farewell]))
      reader.end()
      return ended.some((one) => one.startsWith('443') && one.endsWith(text)) ? null : at
    })
    t.same(
      wrong.filter((at) => at !== null),
      [],
    )
  })
}

t.test('K-6, kubernetes 74551: a connection that is reset leaves the others', async (t) => {
  const { events, opened, ended } = record()
  const tap = new SpdyForwardTap(events)
  tap.up(Buffer.concat([connection(1, 80, 0), connection(5, 80, 1), rstStream(3), rstStream(1)]))
  t.same(ended, ['80: 0 up, 0 down'])
  tap.down(
    Buffer.concat([synReply(1, true), synReply(3, false), spdyData(3, 'late'), synReply(5, false), synReply(7, false)]),
  )
  tap.up(spdyData(7, 'more'))
  tap.up(connection(9, 80, 2))
  t.same(opened, [80, 80, 80])
  tap.end()
  t.same(ended, ['80: 0 up, 0 down', '80: 4 up, 0 down', '80: 0 up, 0 down'])
})

t.test('what `opened` throws comes out before the bytes have passed', async (t) => {
  const refuse = () => {
    throw new Error('not this port')
  }
  t.throws(() => new SpdyForwardTap({ opened: refuse, ended: () => {} }).up(connection(1, 22, 0)), {
    message: 'not this port',
  })
})

const both = (port: string, other: string) =>
  Buffer.concat([
    synStream(1, { streamtype: 'error', port, requestid: '0' }, true),
    synStream(3, { streamtype: 'data', port: other, requestid: '0' }, false),
  ])

const wrong: Readonly<Record<string, Buffer>> = {
  'another port for data than for errors': both('80', '22'),
  'port 0': both('0', '0'),
  'a port that is too high': both('65536', '65536'),
  'a port that is no number': both('http', 'http'),
  'a stream without request id': synStream(1, { streamtype: 'error', port: '80' }, true),
  'a stream of an unknown type': synStream(1, { streamtype: 'stdin', port: '80', requestid: '0' }, true),
  'data without errors': synStream(1, { streamtype: 'data', port: '80', requestid: '0' }, true),
  'a request id twice': Buffer.concat([
    synStream(1, { streamtype: 'error', port: '80', requestid: '0' }, true),
    synStream(3, { streamtype: 'error', port: '80', requestid: '0' }, false),
  ]),
  'an even id': synStream(2, { streamtype: 'error', port: '80', requestid: '0' }, true),
  'data of a stream that is not open': spdyData(1, 'x'),
  'stream 0': spdyData(0, 'x'),
  'what the client says on the stream for errors': Buffer.concat([connection(1, 80, 0), spdyData(1, 'x')]),
  'a reply of the client': Buffer.concat([connection(1, 80, 0), synReply(1, false)]),
}

for (const [what, bytes] of Object.entries(wrong))
  t.test(`${what} is refused`, async (t) => {
    t.throws(() => new SpdyForwardTap(record().events).up(bytes), WireError)
    t.throws(() => new TunnelledForwardTap(record().events).up(masked(bytes)), WireError)
  })

t.test('no more than 1,000 streams are open at once', async (t) => {
  const { events, ended } = record()
  const tap = new SpdyForwardTap(events)
  for (let i = 0; i < 500; i += 1) tap.up(connection(4 * i + 1, 80, i))
  t.throws(() => tap.up(connection(2001, 80, 500)), WireError)
  tap.end()
  t.equal(ended.length, 500)
  const again = new SpdyForwardTap(events)
  for (let i = 0; i < 600; i += 1) {
    again.up(connection(4 * i + 1, 80, i))
    again.up(Buffer.concat([rstStream(4 * i + 1), rstStream(4 * i + 3)]))
  }
  t.equal(ended.length, 1100, 'one after the other there is no limit')
})

t.test('the error of a server is kept up to 1 KiB', async (t) => {
  const { events, ended } = record()
  const tap = new SpdyForwardTap(events)
  tap.up(connection(1, 80, 0))
  tap.down(Buffer.concat([synReply(1, true), spdyData(1, 'x'.repeat(1000)), spdyData(1, 'y'.repeat(1000))]))
  tap.end()
  t.same(ended, [`80: 0 up, 0 down, ${'x'.repeat(1000)}${'y'.repeat(24)}`])
})

t.test('old forms of websocket: two channels for each port, which the server names first', async (t) => {
  const binary = { isBase64: false, hasClose: false }
  const { events, opened, ended } = record()
  const tap = new ChannelForwardTap(events, binary, [80, 8080])
  t.same(opened, [80, 8080])
  tap.up(Buffer.concat([masked(onChannel(0, 'GET /')), masked(onChannel(2, 'x'))]))
  tap.down(
    Buffer.concat([
      ...[0, 1].map((channel) => unmasked(onChannel(channel, '\x50\x00'))),
      unmasked(onChannel(2, '\x90')),
      unmasked(onChannel(2, '\x1fdata')),
      unmasked(onChannel(3, '\x90\x1fno such port')),
      unmasked(onChannel(0, '200')),
    ]),
  )
  t.equal(tap.farewell('bye')?.toString('latin1'), '\x82\x04\x01bye\x82\x04\x03bye\x88\x02\x03\xe8')
  tap.down(unmasked(onChannel(0, 'x')).subarray(0, 1))
  t.equal(tap.farewell('bye'), null)
  t.equal(tap.complete(unmasked(onChannel(0, 'x')).subarray(1)), 3)
  tap.end()
  t.same(ended, ['80: 5 up, 4 down', '8080: 1 up, 4 down, no such port'])
  t.throws(() => new ChannelForwardTap(record().events, binary, [80]).up(masked(onChannel(1, 'x'))), WireError)
  t.throws(() => new ChannelForwardTap(record().events, binary, [80]).down(unmasked(onChannel(2, 'x'))), WireError)
})
