/** How a data channel begins, what it refuses, and how it comes back. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { BrokerError, type ChannelKeyAsk } from '../../../proxy/session.ts'
import type { ChannelEnd, ChannelOptions, SessionStart } from '../../../proxy/ssm/channel.ts'
import { ChannelStream } from '../../../proxy/ssm/channel-stream.ts'
import type { AgentOptions, SessionSpec } from '../../sandbox/ssm/work.ts'
import { waitUntil } from '../../wait-until.ts'
import { openSession, target, untilInterrupted } from './session-fixture.ts'

type Spec = Partial<SessionSpec> & Pick<SessionSpec, 'sessionType'>

function openStream(t: Test, options: ChannelOptions) {
  const starts: SessionStart[] = []
  const ended = Promise.withResolvers<ChannelEnd>()
  const other = (type: number) => (type === 11 || type === 12 ? true : undefined)
  const events = { ready: (start: SessionStart) => void starts.push(start), ended: ended.resolve, other }
  const stream = new ChannelStream(options, events)
  t.teardown(() => stream.destroy())
  return { stream, starts, ended: ended.promise }
}

async function open(t: Test, spec: Spec, options: Partial<ChannelOptions> = {}, agent: Partial<AgentOptions> = {}) {
  const opened = await openSession(t, spec, agent)
  return { ...opened, ...openStream(t, { ...opened.options, ...options }) }
}

const command = (command: string): Spec => ({ sessionType: 'NonInteractiveCommands', command })

t.test(
  'S-4: SSH: the reply to the handshake goes before any data, and its bytes go to the port and back',
  async (t) => {
    const server = createServer((socket) => socket.on('error', () => {}).pipe(socket))
    server.listen(0, 'localhost')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const portNumber = String((server.address() as AddressInfo).port)
    const spec: Spec = { sessionType: 'Port', properties: { portNumber } }
    const { stream, session, starts, ended } = await open(t, spec, {}, { pauseMs: 0 })
    /** 0: an acknowledgement. */
    const types: number[] = []
    session.up.script = (bytes) => types.push(bytes.readUInt32BE(112)) && 1
    const sent = randomBytes(50_000)
    stream.write(sent)
    let received = 0
    for await (const chunk of stream) {
      received += chunk.length
      if (received === sent.length) break
    }
    t.equal(types[0], 0, 'acknowledged')
    t.same([...new Set(types)], [0, 6, 1], 'answered, and then data')
    t.match(starts, [{ sessionType: 'Port', properties: { portNumber } }])
    stream.destroy()
    t.same(await ended, { reason: 'left' })
    t.same(session.faults, [])
  },
)

t.test('the end of what is written ends the session, once the agent has it all', async (t) => {
  const received = Promise.withResolvers<Buffer>()
  const server = createServer((socket) => void buffer(socket).then(received.resolve))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const portNumber = String((server.address() as AddressInfo).port)
  const { stream, ended, session } = await open(t, { sessionType: 'Port', properties: { portNumber } })
  const sent = randomBytes(40_000)
  stream.resume().end(sent)
  t.match(await ended, { reason: /left|closed/ })
  t.same(await received.promise, sent)
  t.equal(session.issueToken(), undefined, 'the session is over')
})

for (const hasChallenge of [true, false])
  t.test(`12.9: a session encrypted with a KMS key, ${hasChallenge ? 'with' : 'without'} a challenge`, async (t) => {
    const plaintext = randomBytes(64)
    const asked: ChannelKeyAsk[] = []
    const contexts: Readonly<Record<string, string>>[] = []
    const kms = {
      keyId: 'arn:aws:kms:eu-west-1:111122223333:key/1234',
      decrypt: (ciphertext: Buffer, context: Readonly<Record<string, string>>) => {
        contexts.push(context)
        return ciphertext.toString() === 'sealed' ? plaintext : null
      },
    }
    const dataKey = async (ask: ChannelKeyAsk) => {
      asked.push(ask)
      return { plaintext, ciphertext: Buffer.from('sealed') }
    }
    const agent = { hasChallenge, customerMessage: 'This session is encrypted using AWS KMS.' }
    const { stream, starts, session } = await open(
      t,
      { ...command('echo secret; echo err >&2'), kms },
      { dataKey },
      agent,
    )
    let clear = 0
    session.down.script = (bytes) => {
      if (bytes.includes('secret')) clear += 1
      return 1
    }
    t.equal((await buffer(stream)).toString(), 'secret\n')
    t.equal(clear, 0, 'nothing of it was readable on the way')
    t.match(starts, [{ message: /encrypted/ }])
    t.match(asked, [{ keyId: kms.keyId }])
    t.equal(asked[0]?.challenge !== undefined, hasChallenge)
    t.match(contexts, [{ 'aws:ssm:SessionId': session.sessionId, 'aws:ssm:TargetId': target }])
    t.same(session.faults, [])
  })

for (const sessionType of ['Standard_Stream', 'NonInteractiveCommands'] as const)
  t.test(`${sessionType}: a session that must be encrypted, and is not, shows nothing`, async (t) => {
    const { stream, ended, starts } = await open(t, { sessionType, command: 'echo clear' }, { isEncrypted: true })
    t.match(await ended, { reason: 'failed', error: { code: 'TARGET_UNTRUSTED', message: /without the encryption/ } })
    t.equal(stream.readableLength, 0)
    t.same(starts, [])
  })

t.test('what is typed in an encrypted session is encrypted too', async (t) => {
  const plaintext = randomBytes(64)
  const kms = { keyId: 'key', decrypt: () => plaintext }
  const dataKey = async () => ({ plaintext, ciphertext: Buffer.from('x') })
  const { stream, session, ended } = await open(t, { ...command(untilInterrupted), kms }, { dataKey })
  await once(stream, 'data')
  stream.write('\x03')
  t.same(await ended, { reason: 'closed', text: '' }, 'the agent could read it')
  t.same(session.faults, [])
})

t.test('a key that is not the agent’s: what it says cannot be read, and that ends the session', async (t) => {
  const kms = { keyId: 'key', decrypt: () => Buffer.alloc(64, 1) }
  const dataKey = async () => ({ plaintext: Buffer.alloc(64, 2), ciphertext: Buffer.from('x') })
  const { ended } = await open(t, { ...command('true'), kms }, { dataKey })
  t.match(await ended, { reason: 'failed', error: { code: 'TARGET_LOST', message: /violated the protocol/ } })
})

t.test('a key that KMS refuses: its error ends the session', async (t) => {
  const kms = { keyId: 'key', decrypt: () => null }
  const dataKey = () => Promise.reject(new BrokerError('AWS_DENIED', 'kms:GenerateDataKey'))
  const { ended } = await open(t, { ...command('true'), kms }, { dataKey })
  t.match(await ended, { reason: 'failed', error: { code: 'AWS_DENIED' } })
})

t.test('what the agent asks for and we do not do is refused, to it and to the person', async (t) => {
  const kms = { keyId: 'key', decrypt: () => null }
  for (const [spec, agent, message] of [
    [{ ...command('true'), kms }, {}, /must be encrypted/],
    [command('true'), { extraActions: ['Telepathy'] }, /asks for Telepathy/],
  ] as const) {
    const { ended, session } = await open(t, spec, {}, agent)
    t.match(await ended, { reason: 'failed', error: { code: 'UNSUPPORTED', message } })
    t.same(session.faults, [])
  }
})

t.test('12.5: messages that are none end the session', async (t) => {
  for (const [name, change] of [
    ['a wrong digest', (bytes: Buffer) => void bytes.fill(7, 80, 90)],
    ['a header length beyond the message', (bytes: Buffer) => void bytes.writeUInt32BE(0xffff_fff0, 0)],
    ['no date', (bytes: Buffer) => void bytes.fill(0, 40, 48)],
    ['a payload of an unknown type', (bytes: Buffer) => void bytes.writeUInt32BE(99, 112)],
  ] as const) {
    const { ended, session } = await open(t, command('sleep 9'))
    session.down.script = (bytes) => {
      if (bytes.toString('latin1', 4, 10) !== 'output') return 1
      const altered = Buffer.from(bytes)
      change(altered)
      session.inject(altered)
      return 0
    }
    t.match(await ended, { reason: 'failed', error: { code: 'TARGET_LOST' } }, name)
  }
  const { ended, session } = await open(t, command('sleep 9'))
  await waitUntil(() => session.isAttached, 'the client is there')
  session.inject(Buffer.alloc(119))
  t.match(await ended, { reason: 'failed', error: { code: 'TARGET_LOST' } }, 'a short one')
})

t.test('12.4: a lost acknowledgement of ours: the duplicate is acknowledged again, and delivered once', async (t) => {
  const { stream, session } = await open(t, command('echo once; sleep 1; echo twice'))
  let acknowledgements = 0
  session.up.script = (bytes) => (bytes.toString('latin1', 4, 7) === 'ack' && ++acknowledgements === 3 ? 0 : 1)
  t.equal((await buffer(stream)).toString(), 'once\ntwice\n')
  t.equal(session.up.counts.dropped, 1)
  await waitUntil(() => session.agent.link.waiting === 0, 'nothing is left unacknowledged')
})

t.test('a network that is gone without a word is noticed by unanswered pings', async (t) => {
  const { stream, session, away } = await openAway(t)
  await waitUntil(() => session.isAttached, 'the client is there')
  session.freeze()
  await waitUntil(() => session.opened === 2, 'it came back')
  stream.destroy()
  t.same(away, [true, false])
})

async function openAway(t: Test) {
  const away: boolean[] = []
  const opened = await openSession(t, command('sleep 9'))
  const options = { ...opened.options, pingMs: 100 }
  const stream = new ChannelStream(options, { away: (isAway) => void away.push(isAway) })
  t.teardown(() => stream.destroy())
  return { ...opened, stream, away }
}

t.test('a ticket that is refused ends the channel; one that AWS cannot give now is asked for again', async (t) => {
  const opened = await openSession(t, command('echo here'))
  const denied = openStream(t, { ticket: () => Promise.reject(new BrokerError('AWS_DENIED', 'ssm:ResumeSession')) })
  t.match(await denied.ended, { reason: 'failed', error: { code: 'AWS_DENIED' } })
  let asked = 0
  const ticket: ChannelOptions['ticket'] = async (signal) => {
    asked += 1
    if (asked < 3) throw new BrokerError('AWS_UNAVAILABLE')
    return opened.options.ticket(signal)
  }
  const { stream } = openStream(t, { ticket })
  t.equal((await buffer(stream)).toString(), 'here\n')
  t.equal(asked, 3)
})

t.test(
  '12.1: credentials or a token that the gateway refuses: the session does not begin, and says so in time',
  async (t) => {
    const { ended, gateway } = await (async () => {
      const opened = await openSession(t, command('true'))
      for (const key of opened.gateway.keys) key.expiresAt = 0
      return { ...opened, ...openStream(t, { ...opened.options, readyMs: 3000 }) }
    })()
    t.match(await ended, { reason: 'failed', error: { code: 'TARGET_UNREACHABLE', message: /in time/ } })
    t.ok(gateway.refused.length >= 2, 'it was tried again with a fresh signature')
    t.match(gateway.refused[0], /ExpiredToken/)
    const late = await openSession(t, command('true'))
    late.session.expireTokens()
    const again = openStream(t, late.options)
    t.equal((await buffer(again.stream)).toString(), '', 'the next token is good')
    t.match(late.session.faults, [/the token has expired/])
  },
)

t.test('a connection that stays lost ends the channel after a while', async (t) => {
  const opened = await openSession(t, command('sleep 9'))
  let isUp = true
  const ticket: ChannelOptions['ticket'] = async (signal) => {
    if (!isUp) throw new BrokerError('AWS_UNAVAILABLE')
    return opened.options.ticket(signal)
  }
  const { ended } = openStream(t, { ticket, resumeMs: 400 })
  await waitUntil(() => opened.session.agent.clientVersion !== '', 'it has begun')
  isUp = false
  opened.session.cut()
  t.match(await ended, { reason: 'failed', error: { code: 'AWS_UNAVAILABLE' } })
})

t.test('output that is not read stops the agent, and nothing piles up', async (t) => {
  const { stream, session } = await open(t, command('head -c 40000000 /dev/zero'), { pingMs: 100 }, { pauseMs: 0 })
  stream.pause()
  await waitUntil(() => session.agent.isBlocked(), 'the agent waits', 60_000)
  session.cut()
  await waitUntil(() => session.opened === 2, 'the loss is noticed')
  await waitUntil(() => session.agent.isBlocked(), 'the agent waits again', 60_000)
  t.ok(stream.readableLength < 1024 * 1024, `${stream.readableLength} bytes are kept`)
})

t.test('types of messages that we do not know are left aside', async (t) => {
  const { stream, session } = await open(t, command('sleep 0.3; echo still here'))
  await waitUntil(() => session.isAttached, 'the client is there')
  session.publication('agent_session_state' as 'start_publication')
  t.equal((await buffer(stream)).toString(), 'still here\n')
})
