import fc from '../fast-check.ts'

interface Frame {
  readonly code: number
  readonly isFinal: boolean
  readonly reserved: number
  readonly hasRightMask: boolean
  readonly payload: Uint8Array
  /** How its length is written: 0 as short as can be. */
  readonly form: number
}

const frame: fc.Arbitrary<Frame> = fc.record({
  code: fc.constantFrom(0, 0, 1, 2, 2, 8, 9, 10, 9, 3, 11),
  isFinal: fc.constantFrom(true, true, false),
  reserved: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 4, 1),
  hasRightMask: fc.constantFrom(true, true, true, true, true, true, true, false),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.nat(400).map((length) => new Uint8Array(length).fill(7)),
  ),
  form: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3),
})

/** Frames of one direction. */
export const likelyWebsocket = fc.array(frame, { maxLength: 6 }).map(
  (frames) => (isMasked: boolean) =>
    Buffer.concat(
      // Mostly such as may follow one another.
      frames.map((one, i) =>
        encode({ ...one, code: i > 0 && one.code < 3 && one.payload.length % 3 ? 0 : one.code }, isMasked),
      ),
    ),
)

function encode({ code, isFinal, reserved, hasRightMask, payload, form }: Frame, isMasked: boolean): Buffer {
  const hasMask = isMasked === hasRightMask
  const mask = [9, 8, 7, 6]
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(form === 3 ? 2n ** 53n : BigInt(payload.length))
  const short = Math.max(form, payload.length < 126 ? 0 : 1)
  const length =
    short === 0
      ? Buffer.from([payload.length])
      : short === 1
        ? Buffer.concat([Buffer.from([126]), long.subarray(6)])
        : Buffer.concat([Buffer.from([127]), long])
  length[0] = (length[0] ?? 0) | (hasMask ? 0x80 : 0)
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | code
  const body = hasMask ? payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0)) : payload
  return Buffer.concat([Buffer.from([first]), length, Buffer.from(hasMask ? mask : []), body])
}

/** RFC 6455 said a second time, with all bytes at hand; data byte by byte. */
export function readWebsocket(bytes: Buffer, isMasked: boolean): { found: string[]; isWrong: boolean } {
  const found: string[] = []
  const wrong = { found, isWrong: true }
  let [rest, isOpen, isClosed] = [bytes, false, false]
  for (;;) {
    const form = (rest[1] ?? 0) & 0x7f
    const lengthBytes = form < 126 ? 0 : form === 126 ? 2 : 8
    const headerBytes = 2 + lengthBytes + (isMasked ? 4 : 0)
    if (rest.length < headerBytes) return { found, isWrong: false }
    const [first = 0, second = 0] = rest
    const [isFinal, code] = [first >= 0x80, first & 15]
    const length = lengthBytes === 0 ? BigInt(form) : BigInt(`0x${rest.toString('hex', 2, 2 + lengthBytes)}`)
    const isControl = code >= 8
    if (isClosed || (first & 0x70) !== 0 || second >= 0x80 !== isMasked || ![0, 1, 2, 8, 9, 10].includes(code))
      return wrong
    if (length >= 2n ** 53n || (lengthBytes === 2 && length < 126n) || (lengthBytes === 8 && length < 65_536n))
      return wrong
    if (isControl && (!isFinal || length > 125n)) return wrong
    if (!isControl && (code === 0) !== isOpen) return wrong
    const mask = isMasked ? rest.subarray(headerBytes - 4, headerBytes) : Buffer.alloc(4)
    const body = rest.subarray(headerBytes, headerBytes + Number(length)).map((byte, i) => byte ^ (mask[i & 3] ?? 0))
    const isWhole = BigInt(body.length) === length
    if (isControl && isWhole && code === 8 && length === 1n) return wrong
    if (isControl && isWhole) found.push(`control ${code} ${Buffer.from(body).toString('hex')}`)
    if (!isControl) {
      if (code > 0) found.push(`begin ${code === 1}`)
      found.push(...Array.from(body, String))
      if (isWhole && isFinal) found.push('end')
      isOpen = !isFinal
    }
    if (!isWhole) return { found, isWrong: false }
    isClosed ||= code === 8
    rest = rest.subarray(headerBytes + Number(length))
  }
}
