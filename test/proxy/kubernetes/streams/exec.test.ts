import t from 'tap'
import { SpdyExecTap } from '../../../../proxy/kubernetes/streams/spdy-exec.ts'
import type { ExecTap } from '../../../../proxy/kubernetes/streams/tap.ts'
import { WebsocketExecTap } from '../../../../proxy/kubernetes/streams/websocket-exec.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { masked, onChannel, rstStream, spdyData, synReply, synStream, unmasked } from './frames.ts'

const v5 = { isBase64: false, hasClose: true }
const v4 = { isBase64: false, hasClose: false }
const base64 = { isBase64: true, hasClose: false }
const size = '{"Width":120,"Height":40}\n'
const ended3 = JSON.stringify({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: '3' }] },
})

/** What was read, with the parts of one kind joined. */
function record() {
  const seen: { kind: string; text: string }[] = []
  const add = (kind: string, text: string) => {
    const last = seen.at(-1)
    if (last?.kind === kind && kind !== 'size') last.text += text
    else seen.push({ kind, text })
  }
  return {
    events: {
      input: (bytes: Buffer) => add('in', bytes.toString('latin1')),
      inputEnded: () => add('eof', ''),
      output: (bytes: Buffer, isError: boolean) => add(isError ? 'err' : 'out', bytes.toString('latin1')),
      resize: ({ cols, rows }: { cols: number; rows: number }) => add('size', `${cols}x${rows}`),
    },
    seen: () => seen.map(({ kind, text }) => `${kind} ${text}`.trim()),
  }
}

/** The same session in the forms that there are. */
interface Form {
  open(events: ReturnType<typeof record>['events']): ExecTap
  readonly up: Buffer
  readonly down: Buffer
  readonly seen: readonly string[]
}

const asBase64 = (channel: number, text: string) =>
  Buffer.from(`${channel}${Buffer.from(text, 'latin1').toString('base64')}`)
const streams = ['error', 'stdin', 'stdout', 'stderr', 'resize']
const opened = Buffer.concat(streams.map((streamtype, i) => synStream(2 * i + 1, { streamtype }, i === 0)))
const replies = Buffer.concat(streams.map((_, i) => synReply(2 * i + 1, i === 0)))

const usual = ['size 120x40', 'in echo\n', 'eof']
const shown = ['out some output', 'err and an error']
const forms: Readonly<Record<string, Form>> = {
  'a websocket, v5': {
    open: (events) => new WebsocketExecTap(events, v5),
    up: Buffer.concat([
      masked(onChannel(4, size)),
      masked(Buffer.alloc(0), 9),
      masked(onChannel(0, 'ec'), 2, false),
      masked(Buffer.from('ho\n'), 0),
      masked(onChannel(0, '')),
      masked(onChannel(255, '\0')),
    ]),
    down: Buffer.concat([
      ...[0, 1, 2].map((channel) => unmasked(onChannel(channel, ''))),
      unmasked(Buffer.alloc(0), 10),
      unmasked(onChannel(1, 'some '), 2, false),
      unmasked(Buffer.from('ping'), 9),
      unmasked(Buffer.from('output'), 0),
      unmasked(onChannel(2, 'and an error')),
      unmasked(onChannel(3, ended3)),
      unmasked(Buffer.from([3, 0xe8]), 8),
    ]),
    seen: [...usual, ...shown],
  },
  'a websocket, v4': {
    open: (events) => new WebsocketExecTap(events, v4),
    up: Buffer.concat([masked(onChannel(4, size)), masked(onChannel(0, 'echo\n'))]),
    down: Buffer.concat([
      unmasked(onChannel(1, 'some output')),
      unmasked(onChannel(2, 'and an error')),
      unmasked(onChannel(3, ended3)),
      unmasked(Buffer.from([3, 0xe8]), 8),
    ]),
    seen: ['size 120x40', 'in echo\n'.trim(), ...shown],
  },
  'a websocket, base64': {
    open: (events) => new WebsocketExecTap(events, base64),
    up: Buffer.concat([masked(asBase64(4, size), 1), masked(asBase64(0, 'echo\n'), 1)]),
    down: Buffer.concat([
      unmasked(asBase64(1, 'some '), 1),
      unmasked(asBase64(1, 'output'), 1),
      unmasked(asBase64(2, 'and an error'), 1),
      unmasked(asBase64(3, ended3), 1),
      unmasked(Buffer.from([3, 0xe8]), 8),
    ]),
    seen: ['size 120x40', 'in echo\n'.trim(), ...shown],
  },
  SPDY: {
    open: (events) => new SpdyExecTap(events),
    up: Buffer.concat([opened, spdyData(9, size), spdyData(3, 'ec'), spdyData(3, 'ho\n'), spdyData(3, '', true)]),
    down: Buffer.concat([
      replies,
      spdyData(5, 'some '),
      spdyData(5, 'output', true),
      spdyData(7, 'and an error', true),
      spdyData(1, ended3, true),
    ]),
    seen: [...usual, ...shown],
  },
}

const trimmed = (seen: readonly string[]) => seen.map((one) => one.trim())

for (const [name, { open, up, down, seen }] of Object.entries(forms)) {
  t.test(`§8.8: ${name}: input, output, sizes and the exit code, in whatever pieces`, async (t) => {
    for (const step of [1, 2, 7, 10_000]) {
      const { events, seen: found } = record()
      const tap = open(events)
      t.equal(tap.exitStatus(), null)
      for (let at = 0; at < up.length; at += step) tap.up(up.subarray(at, at + step))
      for (let at = 0; at < down.length; at += step) tap.down(down.subarray(at, at + step))
      t.same(trimmed(found()), trimmed(seen), `${step} at a time`)
      t.same(tap.exitStatus(), { exitCode: 3 })
    }
  })

  t.test(`trap 1, §8.4: ${name}: a cut anywhere ends with the text, and is read so by who reads on`, async (t) => {
    const text = 'Sallyport: the grant has ended'
    const shown = Array.from({ length: down.length + 1 }, (_, at) => {
      const tap = open(record().events)
      tap.up(up)
      tap.down(down.subarray(0, at))
      const before = tap.farewell(text)
      const more = before === null ? tap.complete(down.subarray(at)) : 0
      const farewell = before ?? tap.farewell(text)
      if (farewell === null) return `nothing at ${at}`
      const reader = open(record().events)
      reader.up(up)
      // Would throw at a frame within another, or at a header block out of turn.
      reader.down(Buffer.concat([down.subarray(0, at + more), farewell]))
      const status = reader.exitStatus()
      return status?.exitCode ?? status?.message ?? 'nothing'
    })
    t.same([...new Set(shown)], [text, 3], 'the text, and where the server has said how it ended, that')
    t.ok(shown.filter((one) => one === text).length > 20)
  })
}

t.test('a websocket is cut by a failure on channel 3 and close code 1000, byte for byte', async (t) => {
  const status =
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"bye","reason":"Forbidden","code":403}'
  t.equal(
    new WebsocketExecTap(record().events, v5).farewell('bye')?.toString('latin1'),
    `\x82${String.fromCharCode(status.length + 1)}\x03${status}\x88\x02\x03\xe8`,
  )
  t.equal(
    new WebsocketExecTap(record().events, base64).farewell('bye')?.subarray(0, 5).toString('latin1'),
    `\x81\x7e\x00${String.fromCharCode(1 + Math.ceil(status.length / 3) * 4)}3`,
  )
})

t.test('SPDY is not cut before the client has opened its stream for errors', async (t) => {
  const tap = new SpdyExecTap(record().events)
  t.equal(tap.farewell('bye'), null)
  t.equal(tap.complete(Buffer.alloc(0)), 0)
  tap.up(opened.subarray(0, 49))
  t.ok(tap.farewell('bye'))
})

t.test('nothing is said twice, nor behind the end', async (t) => {
  const tap = new WebsocketExecTap(record().events, v5)
  tap.down(unmasked(onChannel(3, '{"status":"Success"}')))
  t.equal(tap.farewell('bye')?.toString('hex'), '880203e8')
  tap.down(unmasked(Buffer.from([3, 0xe8]), 8))
  t.equal(tap.farewell('bye')?.length, 0)
})

const wrong: Readonly<Record<string, (tap: (form: string) => ExecTap) => void>> = {
  'a websocket client on stdout': (tap) => tap('a websocket, v5').up(masked(onChannel(1, 'x'))),
  'a websocket server on stdin': (tap) => tap('a websocket, v5').down(unmasked(onChannel(0, 'x'))),
  'a channel that there is not': (tap) => tap('a websocket, v5').down(unmasked(onChannel(9, 'x'))),
  'a close of a channel that there is not': (tap) => tap('a websocket, v5').up(masked(onChannel(255, '\x09'))),
  'a text where messages are binary': (tap) => tap('a websocket, v5').down(unmasked(onChannel(1, 'x'), 1)),
  'a size that is none': (tap) => tap('a websocket, v5').up(masked(onChannel(4, '{"Width":-1,"Height":2}'))),
  'a size without end': (tap) => tap('a websocket, v5').up(masked(onChannel(4, '{'.padEnd(300)))),
  'a status beyond 64 KiB': (tap) => {
    const one = tap('a websocket, v5')
    for (let i = 0; i < 66; i += 1) one.down(unmasked(onChannel(3, 'x'.repeat(1000))))
  },
  'a stream of an unknown type': (tap) => tap('SPDY').up(synStream(1, { streamtype: 'other' }, true)),
  'a stream without a type': (tap) => tap('SPDY').up(synStream(1, {}, true)),
  'a stream of a type twice': (tap) =>
    tap('SPDY').up(
      Buffer.concat([synStream(1, { streamtype: 'error' }, true), synStream(3, { streamtype: 'error' }, false)]),
    ),
  'a stream with an even id': (tap) => tap('SPDY').up(synStream(2, { streamtype: 'error' }, true)),
  'an id that is lower than the last one': (tap) =>
    tap('SPDY').up(
      Buffer.concat([synStream(3, { streamtype: 'error' }, true), synStream(1, { streamtype: 'stdin' }, false)]),
    ),
  'data of a stream that is not open': (tap) => tap('SPDY').up(spdyData(1, 'x')),
  'a reset of a stream that is not open': (tap) => tap('SPDY').up(rstStream(1)),
  'a SPDY client on stdout': (tap) => tap('SPDY').up(Buffer.concat([opened, spdyData(5, 'x')])),
  'a SPDY client that replies': (tap) => tap('SPDY').up(Buffer.concat([opened, synReply(1, false)])),
  'a stream of the server': (tap) => tap('SPDY').down(synStream(2, { streamtype: 'stdout' }, true)),
}

for (const [what, send] of Object.entries(wrong))
  t.test(`${what} is refused`, async (t) => {
    const open = (form: string) => forms[form]?.open(record().events) ?? t.fail()
    t.throws(() => send(open as (form: string) => ExecTap), WireError)
  })

t.test('what an event throws comes out', async (t) => {
  const { events } = record()
  const tap = new WebsocketExecTap(
    {
      ...events,
      output: () => {
        throw new Error('the recorder is full')
      },
    },
    v5,
  )
  t.throws(() => tap.down(unmasked(onChannel(1, 'x'))), { message: 'the recorder is full' })
})

t.test('sizes: of no terminal, several at once, in pieces', async (t) => {
  const { events, seen } = record()
  const tap = new WebsocketExecTap(events, v5)
  tap.up(masked(onChannel(4, '{"Width":0,"Height":0}\n')))
  tap.up(masked(onChannel(4, '{"Width":1,"Height":2}{"width":3,')))
  tap.up(masked(onChannel(4, '"height":4}\n\n')))
  t.same(seen(), ['size 1x2', 'size 3x4'])
})
