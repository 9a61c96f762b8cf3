/** Every frame of test/fixtures/ssm-vectors.json, which session-manager-plugin's and amazon-ssm-agent's own code made. */
import t from 'tap'
import { decodeAcknowledgement, encodeAcknowledgement } from '../../../../proxy/wire/ssm/acknowledgement.ts'
import { featuresOf } from '../../../../proxy/wire/ssm/agent-version.ts'
import {
  decodeChallenge,
  decodeHandshakeComplete,
  decodeHandshakeRequest,
  encodeChallenge,
  encodeHandshakeResponse,
  processedEncryption,
  processedSessionType,
} from '../../../../proxy/wire/ssm/handshake.ts'
import { encodeMessage, MessageReader, payloadType } from '../../../../proxy/wire/ssm/message.ts'
import {
  decodeChannelClosed,
  decodeExitCode,
  decodeFlag,
  encodeFlag,
  encodeOpenDataChannel,
  encodeSize,
  flag,
} from '../../../../proxy/wire/ssm/payloads.ts'
import { SessionCipher } from '../../../../proxy/wire/ssm/session-cipher.ts'
import { encodeSmux, SmuxFramer, smuxCommand } from '../../../../proxy/wire/ssm/smux.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { type Frame, frames, vector, vectors } from './vectors.ts'

/** Both references take them: a header that is longer, and a payload without a digest since its length is said to be 0. */
const stricter = ['parse_longer_header', 'parse_payload_length_zero_skips_digest']
const isMessage = ({ name }: Frame) => !name.startsWith('smux_')
const bytesOf = ({ hex }: Frame) => Buffer.from(hex, 'hex')

function read(frame: Frame): MessageReader {
  const reader = new MessageReader()
  reader.read(bytesOf(frame))
  return reader
}

const payloadOf = (name: string): Buffer => read(vector(name)).payload

for (const frame of frames.filter(isMessage))
  t.test(`message ${frame.name}: ${frame.expect}`, async (t) => {
    if (frame.expect !== 'valid' || stricter.includes(frame.name)) {
      t.throws(() => read(frame), WireError)
      return
    }
    const { fields } = frame
    const { type, sequence, flags, id, payload, payloadType, createdAt } = read(frame)
    t.equal(type, fields.messageType)
    t.equal(payload.toString('hex'), fields.payloadHex)
    t.equal(payloadType, fields.payloadType)
    t.equal(id, fields.messageId)
    t.equal(createdAt, fields.createdDate)
    if (/publication/.test(type)) return
    t.equal(sequence, fields.sequenceNumber)
    t.equal(flags, fields.flags)
    // What is written otherwise than both references do can be read only.
    if (frame.name.startsWith('parse_')) return
    t.equal(encodeMessage(read(frame)).toString('hex'), frame.hex, 'byte for byte')
  })

t.test('payloads of the client, byte for byte', async (t) => {
  const encoded: Readonly<Record<string, Buffer>> = {
    input_size: encodeSize({ cols: 202, rows: 18 }),
    flag_terminate_session: encodeFlag(flag.terminateSession),
    flag_disconnect_to_port: encodeFlag(flag.disconnectToPort),
    ack_of_output: encodeAcknowledgement({
      type: 'output_stream_data',
      id: '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0',
      sequence: 7,
    }),
    handshake_response_port: encodeHandshakeResponse('1.2.650.0', [processedSessionType]),
    handshake_response_kms: encodeHandshakeResponse('1.2.650.0', [
      processedSessionType,
      processedEncryption(Buffer.from('Q0lQSEVSVEVYVC1CTE9CLU9QQVFVRQ==', 'base64'), false),
    ]),
    handshake_response_unsupported: encodeHandshakeResponse('1.2.650.0', [
      { type: 'Bogus', status: 0, result: 3, error: 'Unsupported action Bogus' },
    ]),
    mux_syn_in_frame: encodeSmux(smuxCommand.open, 3),
    mux_psh_in_frame: encodeSmux(smuxCommand.data, 3, Buffer.from('hello')),
  }
  for (const [name, payload] of Object.entries(encoded))
    t.equal(payload.toString('hex'), vector(name).fields.payloadHex, name)
  const challenged = processedEncryption(Buffer.from('x'), true)
  t.match(challenged.result, { ChallengeAcknowledgement: true })
})

t.test('payloads of the agent and of the service', async (t) => {
  t.equal(decodeAcknowledgement(payloadOf('ack_of_input_ls')), 0)
  t.equal(decodeExitCode(payloadOf('output_exit_code')), 3)
  t.equal(decodeFlag(payloadOf('flag_connect_to_port_error')), flag.connectToPortError)
  t.equal(decodeChannelClosed(payloadOf('channel_closed')), '')
  t.equal(decodeChannelClosed(payloadOf('channel_closed_with_output')), 'Session timed out')
  t.equal(decodeHandshakeComplete(payloadOf('handshake_complete')), '')
  t.match(decodeHandshakeComplete(payloadOf('handshake_complete_kms')), /encrypted using AWS KMS/)
  t.same(decodeHandshakeRequest(payloadOf('handshake_request_port')), {
    agentVersion: '3.3.987.0',
    sessionType: 'Port',
    properties: { localPortNumber: '0', portNumber: '22', type: 'LocalPortForwarding' },
    unknown: [],
  })
  t.same(decodeHandshakeRequest(payloadOf('handshake_request_kms')), {
    agentVersion: '3.3.987.0',
    sessionType: 'Standard_Stream',
    properties: null,
    encryption: {
      keyId: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      challenge: 'MDEyMzQ1Njc4OUFCQ0RFRg==',
    },
    unknown: [],
  })
})

t.test('encrypted input and the challenge, with the nonces of the vectors', async (t) => {
  const input = vector('encrypted_input')
  const dataKey = Buffer.from(input.extra.dataKeyHex ?? '', 'hex')
  const ours = new SessionCipher(dataKey)
  const nonce = Buffer.from(input.extra.nonceHex ?? '', 'hex')
  t.equal(ours.encrypt(Buffer.from('whoami\r'), nonce).toString('hex'), input.fields.payloadHex)
  const answer = vector('enc_challenge_response')
  const plaintext = Buffer.from(answer.extra.plaintextHex ?? '', 'hex')
  const encrypted = ours.encrypt(plaintext, Buffer.from(answer.extra.nonceHex ?? '', 'hex'))
  t.equal(encodeChallenge(encrypted).toString('hex'), answer.fields.payloadHex)
  t.same(decodeChallenge(payloadOf('enc_challenge_response')), encrypted)
  // The agent's key is the other half.
  const agents = new SessionCipher(Buffer.concat([dataKey.subarray(32), dataKey.subarray(0, 32)]))
  t.same(agents.decrypt(payloadOf('encrypted_input')), Buffer.from('whoami\r'))
  t.throws(() => ours.decrypt(payloadOf('encrypted_input')), WireError)
  for (const length of [0, 12, 27])
    t.throws(() => agents.decrypt(payloadOf('encrypted_input').subarray(0, length)), WireError)
})

t.test('the text frame that opens the channel', async (t) => {
  const opened = encodeOpenDataChannel({
    requestId: '6d2b0f6e-0b0a-4f4b-9d7d-0c5d7d1f6a10',
    token: 'TOKEN',
    clientId: '3b0e7c52-6d0e-4f0c-8f43-0c2cf0a6d0a1',
    clientVersion: '1.2.650.0',
  })
  t.equal(opened, vectors.openDataChannelTextFrame)
})

t.test('smux frames, whole and cut at every offset', async (t) => {
  const commands: Readonly<Record<string, Buffer>> = {
    smux_syn: encodeSmux(smuxCommand.open, 3),
    smux_psh_hello: encodeSmux(smuxCommand.data, 3, Buffer.from('hello')),
    smux_syn_2: encodeSmux(smuxCommand.open, 5),
    smux_psh_big_1: encodeSmux(smuxCommand.data, 5, Buffer.alloc(32_768)).subarray(0, 8),
    smux_psh_big_2: encodeSmux(smuxCommand.data, 5, Buffer.alloc(7232)).subarray(0, 8),
    smux_fin: encodeSmux(smuxCommand.finish, 3),
    smux_nop: encodeSmux(smuxCommand.keepalive, 0),
  }
  const named = frames.filter((frame) => !isMessage(frame))
  t.same(named.map(({ name }) => name).sort(), Object.keys(commands).sort())
  for (const { name, hex } of named) t.equal(commands[name]?.toString('hex'), hex, name)
  const small = named.filter(({ hexIsHeaderOnly }) => !hexIsHeaderOnly)
  const stream = Buffer.concat(small.map(bytesOf))
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const seen: string[] = []
    const framer = new SmuxFramer({
      open: (id) => void seen.push(`open ${id}`),
      data: (id, part) => void seen.push(...[...part.toString('latin1')].map((letter) => `${letter} ${id}`)),
      finish: (id) => void seen.push(`finish ${id}`),
    })
    framer.scan(stream.subarray(0, cut))
    framer.scan(stream.subarray(cut))
    t.same(seen, ['open 3', 'h 3', 'e 3', 'l 3', 'l 3', 'o 3', 'open 5', 'finish 3'], `cut at ${cut}`)
  }
})

t.test('smux of another version, an unknown command, and a length where there is no data', async (t) => {
  for (const hex of ['0200000003000000', '0104000003000000', '0101010003000000', '0100ffff03000000']) {
    const framer = new SmuxFramer({ open: () => {}, data: () => {}, finish: () => {} })
    t.throws(() => framer.scan(Buffer.from(hex, 'hex')), WireError, hex)
  }
})

for (const { agentVersion, terminateSessionFlag, tcpMux, smuxKeepAliveDisabled } of vectors.versionGates)
  t.test(`12.8: an agent that says it is ${JSON.stringify(agentVersion)}`, async (t) => {
    t.same(featuresOf(agentVersion), {
      terminateFlag: terminateSessionFlag,
      mux: tcpMux,
      noKeepalive: smuxKeepAliveDisabled,
    })
  })

t.test('payloads that are none', async (t) => {
  const texts = ['', 'null', '[]', '{', '"x"', `{"a":"${'x'.repeat(70_000)}"}`]
  for (const text of texts) {
    const payload = Buffer.from(text)
    for (const decode of [decodeAcknowledgement, decodeHandshakeRequest, decodeHandshakeComplete, decodeChallenge])
      t.throws(() => decode(payload), WireError, `${decode.name} of ${text.slice(0, 20)}`)
    t.throws(() => decodeChannelClosed(payload), WireError)
    t.throws(() => decodeExitCode(payload), WireError)
  }
  for (const value of ['-1', '1.5', '"1"', '9007199254740993', 'null'])
    t.throws(
      () => decodeAcknowledgement(Buffer.from(`{"AcknowledgedMessageSequenceNumber":${value}}`)),
      WireError,
      value,
    )
  for (const payload of [Buffer.alloc(3), Buffer.alloc(5)]) t.throws(() => decodeFlag(payload), WireError)
  t.throws(() => new SessionCipher(Buffer.alloc(63)), WireError)
})

t.test('a sequence number that no counter reaches', async (t) => {
  const bytes = bytesOf(vector('input_output_ls'))
  bytes.fill(0xff, 48, 56)
  t.throws(() => new MessageReader().read(bytes), WireError, 'minus one')
})

t.test('every payload of the vectors has a name', async (t) => {
  const known: readonly number[] = Object.values(payloadType)
  const unknown = frames.filter(isMessage).filter(({ fields }) => fields && !known.includes(fields.payloadType))
  t.same(
    unknown.map(({ name }) => name),
    [],
  )
})
