/** Taps of streams between a hostile client and a hostile cluster. */
import type * as SpdyExec from '../../proxy/kubernetes/streams/spdy-exec.ts'
import type * as SpdyForward from '../../proxy/kubernetes/streams/spdy-forward.ts'
import type * as WebsocketExec from '../../proxy/kubernetes/streams/websocket-exec.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'
import {
  masked,
  onChannel,
  rstStream,
  spdyData,
  synReply,
  synStream,
  unmasked,
} from '../proxy/kubernetes/streams/frames.ts'
import { readSpdy } from './kubernetes-spdy.ts'
import { readWebsocket } from './kubernetes-websocket.ts'
import { loadCodec } from './load-codec.ts'

/** What of `proxy/kubernetes/streams` is fuzzed, or of a copy of it with a fault. */
export interface Taps {
  readonly websocket: typeof WebsocketExec
  readonly spdy: typeof SpdyExec
  readonly forward: typeof SpdyForward
  readonly errors: typeof WireErrors
}

/** @param folder URL that ends in a slash */
export function loadTaps(folder: string): Promise<Taps> {
  return loadCodec<Taps>(folder, {
    websocket: 'websocket-exec',
    spdy: 'spdy-exec',
    forward: 'spdy-forward',
    errors: '../../wire/wire-error',
  })
}

const text = fc.constantFrom('', 'x', 'some output', '\0\xff', 'y'.repeat(3000), 'z'.repeat(40_000))
const status = fc.constantFrom('{"status":"Success"}', '{', '{"status":"Failure"}', '{"x":"'.padEnd(40_000, 's'))
const size = fc.constantFrom('{"Width":80,"Height":24}', '{"Width":', '9}', '{}', '{'.padEnd(200))

const websocketDown = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(1, 2), text).map(([at, said]) => unmasked(onChannel(at, said))) },
    { weight: 2, arbitrary: status.map((said) => unmasked(onChannel(3, said))) },
    { weight: 2, arbitrary: text.map((said) => unmasked(onChannel(1, said), 2, false)) },
    { weight: 2, arbitrary: text.map((said) => unmasked(Buffer.from(said, 'latin1'), 0)) },
    { weight: 1, arbitrary: fc.constant(unmasked(Buffer.from('ping'), 9)) },
    { weight: 1, arbitrary: fc.constant(unmasked(onChannel(9, 'x'))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  ),
  { maxLength: 8 },
)
const websocketUp = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: text.map((said) => masked(onChannel(0, said))) },
    { weight: 3, arbitrary: size.map((said) => masked(onChannel(4, said))) },
    { weight: 1, arbitrary: fc.constant(masked(onChannel(255, '\0'))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  ),
  { maxLength: 5 },
)

const types = ['error', 'stdin', 'stdout', 'stderr']
const opened = types.map((streamtype, i) => synStream(2 * i + 1, { streamtype }, i === 0))
const spdyDown = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom(5, 7), text, fc.boolean())
        .map(([id, said, isLast]) => spdyData(id, said, isLast && said === 'x')),
    },
    { weight: 2, arbitrary: status.map((said) => spdyData(1, said)) },
    { weight: 1, arbitrary: fc.constantFrom(1, 3, 5, 9).map((id) => rstStream(id)) },
    { weight: 1, arbitrary: fc.constant(Buffer.from('0000000100ffffff7b', 'hex')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  ),
  { maxLength: 8 },
)
const spdyReplies = types.map((_, i) => synReply(2 * i + 1, i === 0))
const steps = fc.constantFrom(1, 3, 100, 5000, 1_000_000)
const fullAt = fc.constantFrom(Number.POSITIVE_INFINITY, 0, 1, 7, 3001)
const isShort = (bytes: Buffer) => bytes.length < 20_000

interface Run {
  /** What the client got. */
  readonly passed: Buffer
  readonly recorded: number
  readonly words: Buffer | null
}

class Full extends Error {}

/** As the relay does it: what passes is shown first, and what breaks off is said. */
function relay(
  { errors }: Taps,
  open: (output: (bytes: Buffer) => void) => SpdyExec.SpdyExecTap | WebsocketExec.WebsocketExecTap,
  said: { readonly up: readonly Buffer[]; readonly down: readonly Buffer[] },
  { step, most, cutAt }: { step: number; most: number; cutAt: number },
): Run {
  let recorded = 0
  const tap = open((bytes) => {
    if (recorded + bytes.length > most) throw new Full()
    recorded += bytes.length
  })
  const known = (error: unknown) => {
    if (!(error instanceof errors.WireError) && !(error instanceof Full)) throw error
  }
  try {
    for (const chunk of said.up) tap.up(chunk)
  } catch (error) {
    known(error)
  }
  const down = Buffer.concat(said.down)
  const passed: Buffer[] = []
  for (let at = 0; at < Math.min(down.length, cutAt); at += step) {
    const chunk = down.subarray(at, Math.min(at + step, cutAt))
    try {
      tap.down(chunk)
      passed.push(chunk)
    } catch (error) {
      known(error)
      passed.push(chunk.subarray(0, tap.wholeBytes))
      break
    }
  }
  const before = tap.farewell('bye')
  const rest = before ? Buffer.alloc(0) : tap.breakOff()
  const words = before ?? (rest && tap.farewell('bye'))
  return { passed: Buffer.concat(passed), recorded, words: words && Buffer.concat([rest ?? Buffer.alloc(0), words]) }
}

const exec = (output: (bytes: Buffer) => void) => ({ input: () => {}, inputEnded: () => {}, resize: () => {}, output })

/** What holds whatever client and cluster say. */
export function tapProperties(taps: Taps): Readonly<Record<string, fc.IRawProperty<unknown>>> {
  const how = fc.record({ step: steps, most: fullAt, cutAt: fc.constantFrom(1_000_000, 1, 5, 40, 3005) })
  return {
    'websocket: whatever is said, a client that reads on gets whole frames and why it ended': fc.property(
      websocketUp,
      websocketDown,
      how,
      (up, down, options) => {
        if (options.step < 100 && !down.every(isShort)) return true
        const open = (output: (bytes: Buffer) => void) =>
          new taps.websocket.WebsocketExecTap(exec(output), { isBase64: false, hasClose: true })
        const { passed, words } = relay(taps, open, { up, down }, options)
        if (words === null) return true
        const { isWrong, found } = readWebsocket(Buffer.concat([passed, words]), false)
        return !isWrong && (words.length === 0 || found.at(-1)?.startsWith('control 8') === true)
      },
    ) as fc.IRawProperty<unknown>,
    'SPDY: whatever is said, a client that reads on gets whole frames and the end of its stream for errors':
      fc.property(spdyDown, how, (down, options) => {
        if (options.step < 100 && !down.every(isShort)) return true
        const open = (output: (bytes: Buffer) => void) => new taps.spdy.SpdyExecTap(exec(output), types.length)
        const said = { up: opened, down: [...spdyReplies, ...down] }
        const { passed, words } = relay(taps, open, said, options)
        if (words === null) return true
        const { isWrong, found } = readSpdy(Buffer.concat([passed, words]))
        const isSaid = found.some((one) => / 1$/.test(one) && one !== 'reply 1')
        return !isWrong && isSaid
      }) as fc.IRawProperty<unknown>,
    'a status is gathered up to 64 KiB, and a size up to 256 characters': fc.property(
      fc.boolean(),
      fc.integer({ min: 60, max: 80 }),
      (isSize, count) => {
        const tap = new taps.websocket.WebsocketExecTap(
          exec(() => {}),
          { isBase64: false, hasClose: true },
        )
        try {
          for (let i = 0; i < count; i += 1)
            if (isSize) tap.up(masked(onChannel(4, '{'.repeat(5))))
            else tap.down(unmasked(onChannel(3, 'x'.repeat(1000))))
        } catch (error) {
          return error instanceof taps.errors.WireError && count > (isSize ? 50 : 65)
        }
        return !isSize && count <= 65
      },
    ) as fc.IRawProperty<unknown>,
    'a client has no more than 1,000 streams open, each with a connection of its own': fc.property(
      fc.integer({ min: 480, max: 520 }),
      (count) => {
        let most = 0
        const opened = () => {
          most += 1
        }
        const tap = new taps.forward.SpdyForwardTap({ opened, ended: () => {} })
        try {
          for (let i = 0; i < count; i += 1) tap.up(connection(i))
        } catch (error) {
          return error instanceof taps.errors.WireError && most === 500
        }
        return most === count && count <= 500
      },
    ) as fc.IRawProperty<unknown>,
  }
}

function connection(i: number): Buffer {
  const headers = { port: '80', requestid: String(i) }
  const [error, data] = [4 * i + 1, 4 * i + 3]
  return Buffer.concat([
    synStream(error, { streamtype: 'error', ...headers }, i === 0),
    synStream(data, { streamtype: 'data', ...headers }, false),
  ])
}
