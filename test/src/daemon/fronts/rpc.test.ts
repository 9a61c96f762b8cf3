/** Calls between processes of one daemon: order, errors, bytes, and what does not fit. */
import { Duplex, type DuplexOptions } from 'node:stream'
import t from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import { type Handlers, Rpc, rpcLimits } from '../../../../src/daemon/fronts/rpc.ts'
import { waitUntil } from '../../../wait-until.ts'

/** Two ends; each write arrives in pieces of so many bytes. */
function ends(pieceBytes = Number.POSITIVE_INFINITY): [Duplex, Duplex] {
  const make = (other: () => Duplex, more: DuplexOptions = {}) =>
    new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, done) => {
        for (let at = 0; at < chunk.length; at += pieceBytes) other().push(chunk.subarray(at, at + pieceBytes))
        done()
      },
      destroy: (error, done) => {
        if (!other().readableEnded && !other().destroyed) other().push(null)
        done(error)
      },
      ...more,
    })
  const a: Duplex = make(() => b)
  const b: Duplex = make(() => a)
  return [a, b]
}

function pair(handlers: Handlers, { pieceBytes, limits = rpcLimits }: { pieceBytes?: number; limits?: object } = {}) {
  const [a, b] = ends(pieceBytes)
  const over: (Error | undefined)[] = []
  const common = { limits: { ...rpcLimits, ...limits }, onOver: (error?: Error) => void over.push(error) }
  const caller = new Rpc({ stream: a, handlers: {}, ...common })
  const answering = new Rpc({ stream: b, handlers, ...common })
  return { caller, answering, over, raw: a }
}

const echo = { echo: (...values: unknown[]) => values }

t.test('values, bytes and nothing, also in pieces of any size', async (t) => {
  const values = [
    { text: 'Ünï ☂ "\\', n: 1.5, none: null, list: [true], base64: 'YQ==' },
    Buffer.from([0, 255]),
  ] as const
  for (const pieceBytes of [1, 3, 4, 5, 1000]) {
    const { caller } = pair(echo, { pieceBytes })
    const answers = await Promise.all([caller.call('echo', ...values), caller.call('echo')])
    t.same(answers, [values, []])
    t.ok((answers[0] as Uint8Array[])[1] instanceof Uint8Array)
  }
})

t.test('errors cross with code, detail and hint; others tell nothing but a cause', async (t) => {
  const { caller } = pair({
    refuse: () => {
      throw new BrokerError('GRANT_DENIED', 'no grant', { hint: 'ask' })
    },
    fail: () => {
      throw new TypeError('x is undefined')
    },
  })
  await t.rejects(caller.call('refuse'), { code: 'GRANT_DENIED', detail: 'no grant', hint: 'ask' })
  await t.rejects(caller.call('fail'), { code: 'INTERNAL', detail: undefined })
  await t.rejects(caller.call('constructor'), { code: 'INTERNAL' })
})

t.test('pushes and calls keep their order', async (t) => {
  const seen: unknown[] = []
  const { caller } = pair({ note: (value: unknown) => void seen.push(value) })
  const done = [caller.call('note', 1)]
  caller.push('note', 2)
  done.push(caller.call('note', 3))
  await Promise.all(done)
  t.same(seen, [1, 2, 3])
})

t.test('a push that fails, at once or later, ends the connection and nothing else', async (t) => {
  const fail = () => {
    throw new TypeError('no')
  }
  for (const handler of [fail, async () => fail()]) {
    const { caller, over } = pair({ note: handler })
    caller.push('note')
    await waitUntil(() => over.length === 2)
    t.ok(over.some((error) => error instanceof TypeError))
  }
})

t.test('an end that closes rejects what waits, and is over on both sides once', async (t) => {
  const { caller, answering, over } = pair({ wait: () => new Promise(() => {}) })
  const waiting = caller.call('wait')
  await new Promise(setImmediate)
  answering.close()
  await t.rejects(waiting, { code: 'INTERNAL' })
  await t.rejects(caller.call('wait'), { code: 'INTERNAL' })
  caller.push('wait')
  await waitUntil(() => over.length === 2)
  t.same(over, [undefined, undefined])
})

t.test('no more calls wait than are allowed', async (t) => {
  const { caller, answering } = pair({ wait: () => new Promise(() => {}) }, { limits: { calls: 2 } })
  const waiting = [caller.call('wait'), caller.call('wait')]
  await t.rejects(caller.call('wait'), { code: 'RATE_LIMITED' })
  answering.close()
  await Promise.allSettled(waiting)
})

t.test('a reader that stands still is given up before the queue takes the memory', async (t) => {
  const over: (Error | undefined)[] = []
  const stuck = new Duplex({ read: () => {}, write: () => {} })
  const limits = { ...rpcLimits, queuedBytes: 1000 }
  const rpc = new Rpc({ stream: stuck, handlers: {}, limits, onOver: (error) => void over.push(error) })
  for (let i = 0; i < 100 && !rpc.isOver; i += 1) {
    rpc.push('note', 'x'.repeat(100))
    await Promise.resolve()
    await new Promise(setImmediate)
  }
  t.match(over, [{ message: /reads nothing/ }])
})

for (const [what, bytes] of [
  ['a frame that is too long', Buffer.from([255, 255, 255, 255])],
  ['no JSON', framed('{')],
  ['no list', framed('{"a":1}')],
  ['a message of another kind', framed('[[9,1]]')],
  ['a call without values', framed('[[0,1,"echo"]]')],
  ['a failure without facts', framed('[[2,1]]')],
] as const)
  t.test(`${what} ends it`, async (t) => {
    const { over, raw } = pair(echo, { limits: { frameBytes: 1000 } })
    raw.write(bytes)
    await waitUntil(() => over.length === 2)
    t.ok(over.some((error) => error !== undefined))
  })

t.test('a message that is too long for a frame is the error of its sender', async (t) => {
  const { caller } = pair(echo, { limits: { frameBytes: 1000 } })
  await t.rejects(caller.call('echo', 'x'.repeat(2000)), { code: 'INTERNAL' })
})

function framed(text: string): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(text.length)
  return Buffer.concat([head, Buffer.from(text)])
}
