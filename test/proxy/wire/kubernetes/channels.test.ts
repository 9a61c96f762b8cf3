/** Messages of apimachinery, pkg/util/httpstream/wsstream, and of kubectl 1.32. */
import t from 'tap'
import { ChannelMessages, channelProtocols, encodeChannel } from '../../../../proxy/wire/kubernetes/channels.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

const [v5, v4, base64] = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'].map(
  (name) => channelProtocols[name] ?? { isBase64: false, hasClose: false },
) as [
  (typeof channelProtocols)[string] & {},
  (typeof channelProtocols)[string] & {},
  (typeof channelProtocols)[string] & {},
]

/** @param messages each of some parts */
function read(protocol: typeof v5, messages: readonly (readonly Buffer[])[], isText = protocol.isBase64): string[] {
  const seen: string[] = []
  const reader = new ChannelMessages(
    {
      data: (at, part) => void seen.push(`${at}:${part.toString('latin1')}`),
      closed: (at) => void seen.push(`closed ${at}`),
    },
    protocol,
  )
  for (const parts of messages) {
    reader.begin(isText)
    for (const part of parts) reader.data(part)
    reader.end()
  }
  return seen
}

const text = (value: string) => Buffer.from(value, 'latin1')

t.test('the first byte is the channel', async (t) => {
  t.same(read(v5, [[text('\x01out')], [text('\x02err')], [text('\x00'), text('in'), text('put')]]), [
    '1:out',
    '2:err',
    '0:',
    '0:in',
    '0:put',
  ])
  t.same(read(v5, [[], [text('')], [text('\x01')]]), ['1:'], 'messages without bytes, or without more than a channel')
})

t.test('v5 ends a channel, which v4 cannot', async (t) => {
  t.same(read(v5, [[text('\xff\x00')], [text('\xff'), text('\x04')]]), ['closed 0', 'closed 4'])
  t.same(read(v4, [[text('\xff\x00')]]), ['255:\0'])
  t.throws(() => read(v5, [[text('\xff')]]), WireError)
  t.throws(() => read(v5, [[text('\xff\x00\x00')]]), WireError)
  t.throws(() => read(v5, [[text('\xff\x00'), text('\x00')]]), WireError)
})

t.test('base64, in whatever parts', async (t) => {
  const whole = '1aGVsbG8sIHdvcmxkIQ==' // "hello, world!"
  for (let at = 0; at <= whole.length; at += 1) {
    const parts = [text(whole.slice(0, at)), text(whole.slice(at))]
    t.equal(
      read(base64, [parts])
        .map((one) => one.slice(2))
        .join(''),
      'hello, world!',
      `at ${at}`,
    )
  }
  t.same(read(base64, [[text('3')]]), ['3:'])
  for (const wrong of ['xaGVs', '1aGVs!GVs', '1aGVsb', '1aA==aGVs', '1====', '1a===', '1aGVs bG8='])
    t.throws(() => read(base64, [[text(wrong)]]), WireError, wrong)
  t.throws(() => read(base64, [[text('1aA=='), text('aGVs')]]), WireError, 'behind the end')
})

t.test('messages of the wrong type are refused', async (t) => {
  t.throws(() => read(v5, [[text('\x01x')]], true), WireError)
  t.throws(() => read(base64, [[text('1aGVs')]], false), WireError)
})

t.test('messages that are sent', async (t) => {
  t.equal(encodeChannel(3, text('bye'), v5).toString('latin1'), '\x03bye')
  t.equal(encodeChannel(3, text('bye'), base64).toString('latin1'), '3Ynll')
})
