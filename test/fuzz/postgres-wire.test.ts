import fc from 'fast-check'
import t from 'tap'
import {
  decodeBackend,
  decodeFrontend,
  decodeInitial,
  decodePassword,
  decodeSaslInitial,
} from '../../proxy/wire/postgres/decode.ts'
import { backendSizes, Framer, type FrameSink, frontendSizes } from '../../proxy/wire/postgres/framer.ts'
import { WireError } from '../../proxy/wire/postgres/messages.ts'
import { deriveScramVerifier, finishScram, startScram } from '../../proxy/wire/postgres/scram.ts'
import { parseOptions } from '../../proxy/wire/postgres/startup-options.ts'

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
/** Bytes that look like a message more often: few values, many NULs. */
const likelyBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 0x41, 0x53, 0x50, 0xff), { maxLength: 60 })
  .map((bytes) => Buffer.from(bytes))
const body = fc.oneof(anyBytes, likelyBytes)
const type = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('QPBEDCSHXFdcfp123ntTIsZENARKvGHWV')))

/** Random bytes give a message or a WireError, nothing else. */
function orWireError(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    return error instanceof WireError
  }
}

t.test('random bytes give a message or a WireError', async (t) => {
  fc.assert(
    fc.property(type, body, (type, body) => orWireError(() => decodeFrontend(type, body))),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(type, body, (type, body) => orWireError(() => decodeBackend(type, body))),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(body, (body) => orWireError(() => decodeInitial(body))),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(body, (body) => orWireError(() => [decodePassword(body), decodeSaslInitial(body)])))
  fc.assert(fc.property(fc.string(), (text) => orWireError(() => parseOptions(text))))
  t.pass('fast-check throws otherwise')
})

const verifier = deriveScramVerifier('pencil', Buffer.alloc(16), 1)

t.test('random SASL bytes give an answer or a WireError', async (t) => {
  const scram = fc.oneof(
    body,
    fc.stringMatching(/^[nyp=,rcabi]{0,40}$/).map((text) => Buffer.from(text)),
  )
  const mechanism = fc.constantFrom('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'X')
  fc.assert(
    fc.property(mechanism, scram, scram, (mechanism, first, final) => {
      const good = startScram({ mechanism: 'SCRAM-SHA-256', data: Buffer.from('n,,n=,r=a') }, undefined, verifier, 's')
      return (
        orWireError(() => startScram({ mechanism, data: first }, Buffer.alloc(32), verifier, 's')) &&
        orWireError(() => finishScram(good, final))
      )
    }),
  )
  t.pass('fast-check throws otherwise')
})

t.test('a stream is framed alike however it is cut', async (t) => {
  const messages = fc.array(fc.tuple(fc.constantFrom(...'QPBdS'), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 })
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 9 })), (messages, cuts) => {
      const stream = Buffer.concat(messages.map(([letter, body]) => frame(letter, Buffer.from(body))))
      const seen: string[] = []
      const framer = new Framer(frontendSizes, collector(seen))
      let at = 0
      for (let i = 0; at < stream.length; i += 1) {
        const chunk = stream.subarray(at, at + (cuts[i % (cuts.length || 1)] ?? 3))
        at += framer.scan(chunk)
      }
      t.ok(framer.atBoundary)
      t.strictSame(
        seen,
        messages.map(([letter, body]) => letter + Buffer.from(body).toString('hex')),
      )
    }),
  )
})

t.test('random bytes are framed or refused', async (t) => {
  fc.assert(
    fc.property(fc.array(body), fc.constantFrom(frontendSizes, backendSizes), (chunks, sizes) => {
      const framer = new Framer(sizes, collector([]))
      return orWireError(() => {
        for (const chunk of chunks) framer.scan(chunk)
      })
    }),
  )
  t.pass('fast-check throws otherwise')
})

function frame(letter: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(letter)
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function collector(seen: string[]): FrameSink {
  return {
    begin: (_type, length) => length,
    part: () => {},
    message: (type, bytes, start, end) => {
      seen.push(String.fromCharCode(type) + bytes.toString('hex', start, end))
      return true
    },
  }
}
