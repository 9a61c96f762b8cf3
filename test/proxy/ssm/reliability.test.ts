/** Sequence numbers, acknowledgements and resends without a network: by a clock of the test's own. */

import t from 'tap'
import { Incoming } from '../../../proxy/ssm/incoming.ts'
import { Outgoing } from '../../../proxy/ssm/outgoing.ts'
import { RoundTrip } from '../../../proxy/ssm/round-trip.ts'
import { MessageReader } from '../../../proxy/wire/ssm/message.ts'
import fc from '../../fast-check.ts'
import { vectors } from '../wire/ssm/vectors.ts'

t.test('the timeout after each round trip is that of the references', async (t) => {
  const roundTrip = new RoundTrip()
  for (const { rttMs, rtoMs, srttMs } of vectors.rto) {
    if (rttMs !== null) roundTrip.sample(rttMs)
    t.ok(Math.abs(roundTrip.timeoutMs - rtoMs) < 1e-5, `${roundTrip.timeoutMs} is ${rtoMs} after ${rttMs}`)
    t.ok(Math.abs(roundTrip.smoothedMs - srttMs) < 1e-5)
  }
})

/** Messages of one byte, their sequence number. */
function outgoing(windowBytes: number) {
  const sent: number[] = []
  const out = new Outgoing(windowBytes, (bytes) => void sent.push(bytes[0] ?? -1))
  const add = (count: number, now: number) => {
    for (let i = 0; i < count; i += 1) out.add(Buffer.from([out.next & 0xff]), now)
  }
  return { out, add, take: () => sent.splice(0) }
}

t.test('the oldest is sent again after the timeout, and newer ones wait for it', async (t) => {
  const { out, add, take } = outgoing(100)
  out.release(0)
  add(3, 0)
  t.same(take(), [0, 1, 2])
  out.resend(199)
  t.same(take(), [], 'not before the timeout of 200 ms')
  out.resend(200)
  t.same(take(), [0], 'the oldest alone')
  out.resend(300)
  t.same(take(), [], 'not again before another timeout')
  out.resend(400)
  t.same(take(), [0])
})

t.test('what is older than something acknowledged is lost, and sent again', async (t) => {
  const { out, add, take } = outgoing(100)
  out.release(0)
  add(6, 0)
  take()
  for (const sequence of [1, 4]) out.acknowledge(sequence, 100)
  out.resend(1100)
  t.same(take(), [0, 2, 3], '5 is not known to be lost')
  for (const sequence of [0, 2, 3]) out.acknowledge(sequence, 1200)
  out.resend(3000)
  t.same(take(), [5])
  out.acknowledge(5, 3100)
  t.ok(out.isEmpty)
  t.equal(out.next, 6)
})

t.test('12.6: the window counts from the oldest on, since agents store what comes before it', async (t) => {
  const { out, add } = outgoing(4)
  out.release(0)
  add(4, 0)
  t.notOk(out.hasRoom)
  t.notOk(out.acknowledge(3, 1))
  t.notOk(out.acknowledge(2, 1))
  t.notOk(out.acknowledge(2, 1), 'a duplicate')
  t.notOk(out.hasRoom)
  t.ok(out.acknowledge(0, 1), 'now there is room')
  t.notOk(out.acknowledge(1, 1), 'there was')
  t.notOk(out.acknowledge(17, 1), 'of what was never sent')
  t.ok(out.isEmpty)
})

t.test(
  '12.7: while held nothing is sent; after a pause what was added, after a loss all of it, in order',
  async (t) => {
    const { out, add, take } = outgoing(100)
    out.release(0)
    add(2, 0)
    out.hold(false)
    t.notOk(out.hasRoom)
    add(2, 0)
    out.resend(5000)
    t.same(take(), [0, 1])
    out.release(5000)
    t.same(take(), [2, 3])
    out.acknowledge(1, 5000)
    out.hold(true)
    out.release(6000)
    t.same(take(), [0, 2, 3])
  },
)

t.test('an agent that takes nothing for five minutes is given up; one that takes a little is not', async (t) => {
  const { out, add } = outgoing(100)
  out.release(0)
  add(2, 0)
  t.ok(out.resend(300_000))
  out.acknowledge(0, 300_000)
  t.ok(out.resend(600_000))
  t.notOk(out.resend(600_001))
  out.restart(600_001)
  t.ok(out.resend(900_001), 'no acknowledgement could be read')
  t.notOk(out.resend(900_002))
  out.hold(true)
  t.ok(out.resend(900_000), 'a lost connection is another matter')
})

t.test('thousands of messages, acknowledged in any order, are all forgotten', async (t) => {
  const { out, add } = outgoing(1_000_000)
  out.release(0)
  for (let round = 0; round < 5; round += 1) {
    const from = out.next
    add(3000, 0)
    const order = Array.from({ length: 3000 }, (_, i) => from + ((i * 7) % 3000))
    for (const sequence of order) out.acknowledge(sequence, 1)
    t.ok(out.isEmpty)
    t.equal(out.next, from + 3000)
  }
})

/** As read from the wire. */
function message(sequence: number, length = 1): MessageReader {
  return Object.assign(new MessageReader(), { sequence, payloadType: 1, payload: Buffer.alloc(length, sequence) })
}

t.test(
  'whatever order, loss and doubling: each is delivered once and in order, and what is stored is bounded',
  async (t) => {
    const arrivals = fc.array(fc.nat(30), { maxLength: 300 })
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 0, max: 5 }), (order, room) => {
        const delivered: number[] = []
        const incoming = new Incoming(room * 101, (_type, payload) => void delivered.push(payload[0] ?? -1))
        const acknowledged = new Set<number>()
        const receive = (sequence: number) => {
          if (incoming.receive(message(sequence))) acknowledged.add(sequence)
          incoming.deliverEarly()
        }
        for (const sequence of order) receive(sequence)
        const stored = [...acknowledged].filter((sequence) => !delivered.includes(sequence))
        if (stored.length > room) return false
        for (let sequence = 0; sequence <= 30; sequence += 1) receive(sequence) // as the agent goes on until all are acknowledged
        return delivered.length === 31 && delivered.every((sequence, at) => sequence === at)
      }),
    )
    t.pass('fast-check throws otherwise')
  },
)

t.test('what is not processed is not counted as received', async (t) => {
  let isBroken = true
  const incoming = new Incoming(1000, () => {
    if (isBroken) throw new Error('no')
  })
  t.throws(() => incoming.receive(message(0)))
  isBroken = false
  t.ok(incoming.receive(message(0)))
  t.ok(incoming.receive(message(0)), 'a duplicate is acknowledged again')
})
