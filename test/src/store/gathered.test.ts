import { CompiledQuery } from 'kysely'
import t from 'tap'
import { inLane, LaneQueue } from '../../../src/store/lanes.ts'
import { Gathered } from '../../../src/store/sqlite/gathered.ts'

function setUp() {
  const queue = new LaneQueue()
  const messages: string[][] = []
  const gathered = new Gathered({
    acquire: () => queue.acquire(),
    release: () => queue.release(),
    run: async (queries) => {
      messages.push(queries.map(({ sql }) => sql))
      return queries.map(({ sql }) =>
        sql === 'bad' ? { error: { message: 'no such table', code: 'SQLITE_1' } } : { rows: [{ sql }], changes: 0 },
      )
    },
  })
  const read = (sql: string) => gathered.read(CompiledQuery.raw(sql))
  return { queue, messages, read }
}

t.test('reads of one moment share a message, each with its own answer', async (t) => {
  const { messages, read } = setUp()
  const results = await Promise.allSettled([read('a'), read('bad'), Promise.resolve().then(() => read('b'))])
  t.match(results, [
    { value: { rows: [{ sql: 'a' }] } },
    { reason: { message: 'no such table', code: 'SQLITE_1' } },
    { value: { rows: [{ sql: 'b' }] } },
  ])
  t.same(messages, [['a', 'bad', 'b']])
})

t.test('they wait for a transaction, and of many there are several messages', async (t) => {
  const { queue, messages, read } = setUp()
  await queue.acquire()
  const many = Array.from({ length: 40 }, (_, i) => read(`${i}`))
  const books = ['x', 'y'].map((sql) => inLane('books', () => read(sql)))
  await new Promise((resolve) => setImmediate(resolve))
  t.same(messages, [])
  queue.release()
  await Promise.all([...many, ...books])
  t.same(
    messages.map((message) => message.length),
    [16, 16, 8, 1, 1],
  )
})
