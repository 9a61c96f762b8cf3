import { PassThrough } from 'node:stream'
import t from 'tap'
import type { StopAsk } from '../../../proxy/doorman.ts'
import { Threads } from '../../../proxy/mysql/threads.ts'
import { placeOf, sessionNumbers } from '../../../proxy/place.ts'

const place = { daemon: 3, front: 5 }
const origin = { address: '192.0.2.1', port: 1, via: 'listener' } as const
const ask = (number: number, what: StopAsk['what'], principalId: string, resourceId = 'a'): StopAsk => ({
  protocol: 'mysql',
  number,
  what,
  principalId,
  resourceId,
  origin,
})

function open(threads: Threads, principalId: string, resourceId = 'a', targetThreadId = 7) {
  const done: string[] = []
  const stream = new PassThrough()
  const id = threads.reserve(stream)
  const cancel = async () => done.push('cancel') > 0
  threads.begin(id, { principalId, resourceId, targetThreadId, cancel, end: () => done.push('end') })
  return { id, stream, done }
}

t.test('a person kills a session of their own, and no other', async (t) => {
  const threads = new Threads(place, 1)
  const alice = open(threads, 'alice')
  t.equal(await threads.stop(ask(alice.id, 'statement', 'bob')), 'denied')
  t.equal(await threads.stop(ask(alice.id + 1, 'statement', 'alice')), 'unknown')
  t.same(alice.done, [])
  t.equal(await threads.stop(ask(alice.id, 'statement', 'alice', 'b')), 'done', 'from a session elsewhere')
  t.same(alice.done, ['cancel'])
  t.equal(await threads.stop(ask(alice.id, 'session', 'alice')), 'done')
  t.same(alice.done, ['cancel', 'cancel', 'end'])
  threads.end(alice.id)
  t.equal(await threads.stop(ask(alice.id, 'statement', 'alice')), 'unknown', 'not after its end')
})

t.test('a session that may not be cancelled from there is not ended either', async (t) => {
  const threads = new Threads(place, 1)
  const id = threads.reserve(new PassThrough())
  const end = () => t.fail('ended')
  threads.begin(id, { principalId: 'alice', resourceId: 'a', targetThreadId: 7, cancel: async () => false, end })
  t.equal(await threads.stop(ask(id, 'session', 'alice')), 'denied')
})

t.test(
  'the number that the target gives a session stands for it, for the same person at the same target',
  async (t) => {
    const threads = new Threads(place, 1)
    const bob = open(threads, 'bob', 'a', 9)
    const { done } = open(threads, 'alice', 'a', bob.id)
    t.equal(await threads.stop(ask(9, 'statement', 'alice')), 'unknown')
    t.equal(await threads.stop(ask(bob.id, 'statement', 'alice', 'b')), 'denied')
    t.equal(await threads.stop(ask(bob.id, 'statement', 'alice')), 'done', 'though a greeting named it to bob')
    t.same([done, bob.done], [['cancel'], []])
  },
)

t.test('numbers say where their session is, and are used again only when all others have been', async (t) => {
  const threads = new Threads(place, sessionNumbers - 1)
  const first = open(threads, 'alice')
  t.same(placeOf(first.id), place)
  const stays = open(threads, 'alice')
  first.stream.destroy()
  await new Promise((resolve) => first.stream.once('close', resolve))
  t.equal(await threads.stop(ask(first.id, 'statement', 'alice')), 'unknown')
  const seen = new Set([first.id, stays.id])
  for (let i = 0; i < sessionNumbers - 2; i += 1) {
    const stream = new PassThrough()
    seen.add(threads.reserve(stream))
    stream.emit('close')
  }
  t.equal(seen.size, sessionNumbers, 'no number comes twice before all have been used')
  t.ok([...seen].every((id) => id > 0 && id <= 0x7fff_ffff && placeOf(id).daemon === 3 && placeOf(id).front === 5))
  t.equal(open(threads, 'alice').id, first.id, 'and then from the start, past those in use')
})
