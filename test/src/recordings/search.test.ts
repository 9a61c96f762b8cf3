/** The search over recordings: what is found, what is not, and where one page ends and the next begins. */
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { RecordingSearch } from '../../../src/recordings/search/recording-search.ts'
import { searchRecordings } from '../../../src/recordings/search/search-recordings.ts'
import { TextFinder } from '../../../src/recordings/search/text-finder.ts'

const header = '{"v":1,"session":"ses_needle","principal":"needle"}'
const chain = `{"chain":"${'ab'.repeat(32)}","n":1}`

/** A recording: the header, each entry with its chain line. */
function recording(...entries: (object | string)[]): Buffer {
  const lines = entries.flatMap((entry) => [typeof entry === 'string' ? entry : JSON.stringify(entry), chain])
  return Buffer.from(`${[header, ...lines].join('\n')}\n`)
}

const query = (sql: string, more: object = {}) => ({ at: 1, type: 'query', sql, ...more })

/** @param size of the chunks that it comes in */
function searchIn(bytes: Buffer, text: string, size = bytes.length) {
  const search = new RecordingSearch(0, new TextFinder(text))
  const found = []
  for (let at = 0; at < bytes.length; at += size) found.push(...search.push(bytes.subarray(at, at + size)))
  return [...found, ...search.running]
}

const membersIn = (entry: object, text: string) =>
  searchIn(recording(entry), text).flatMap(({ found }) => found.map(({ member }) => member))

t.test('a text is found wherever an entry says it, in upper or lower case', async (t) => {
  const cases: [string, object, string, string[]][] = [
    ['a statement', query('SELECT * FROM Orders'), 'from orders', ['sql']],
    ['the end of a long one', query('select', { sqlTail: 'where x = 4711' }), '4711', ['sqlTail']],
    ['a value', query('select ?', { values: ['a', 'Needle'] }), 'needle', ['values[1]']],
    [
      'a long value',
      query('x', { values: [null, { text: 'needle', bytes: 9000, hmac: 'ff' }] }),
      'needle',
      ['values[1].text'],
    ],
    ['bytes', query('x', { values: [{ hex: 'deadbeef', type: 252, bytes: 4 }] }), 'deadbeef', ['values[0].hex']],
    ['bytes of a text', query('x', { values: [{ hex: '4e6565646c65', oid: 0, bytes: 6 }] }), 'Needle', ['values[0]']],
    ['an error', query('x', { error: { code: '42P01', message: 'no needle' } }), 'needle', ['error.message']],
    ['what JSON escapes', query('select "a\\b"\n\tfrom x'), '"a\\b"\n\tFROM', ['sql']],
    ['letters beyond ASCII', query('select', { values: ['MARKER-É-17 🦭'] }), 'é-17 🦭', ['values[0]']],
    ['a sigma at the end of a word, and within', query('ΟΔΟΣ'), 'οδοσ', ['sql']],
    ['several places', query('needle', { values: ['needle'] }), 'needle', ['sql', 'values[0]']],
    ['nothing of a digest', query('x', { sqlHmac: 'abcd', values: [{ redacted: true, hmac: 'abcd' }] }), 'abcd', []],
    ['nothing of the type', { at: 1, type: 'query' }, 'query', []],
    ['a backslash and n is no line feed', query('a\\nb'), 'a\nb', []],
    ['nothing of a name of a member', query('x', { values: [] }), 'values', []],
  ]
  for (const [what, entry, text, members] of cases) t.strictSame(membersIn(entry, text), members, what)
  t.strictSame(searchIn(recording(query('x')), 'needle'), [], 'nor in the header')
  t.strictSame(searchIn(recording(query('x')), 'abab'), [], 'nor in a chain line')
})

t.test('a line that is damaged is searched as text', async (t) => {
  t.match(searchIn(recording('{"sql":"needle'), 'NEEDLE'), [{ type: 'damaged', at: null, found: [{ member: 'line' }] }])
})

t.test('the same is found however the bytes are cut, and the beginning of a line is none yet', async (t) => {
  const bytes = Buffer.concat([
    recording(query('select needle é'), query('hay'), query('x', { values: ['needle 🦭'] })),
    Buffer.from('{"at":1,"type":"query","sql":"needle'),
  ])
  const whole = searchIn(bytes, 'needle')
  t.equal(whole.length, 2)
  for (let size = 1; size < 70; size++) t.strictSame(searchIn(bytes, 'needle', size), whole)
})

t.test('a statement is found once, at its end; one without an end is found at last', async (t) => {
  const [first, second, third] = [1, 2, 3].map((request) => query('needle', { request, begun: true }))
  const end = (request: number, sql: string) => query(sql, { request, at: 2 })
  const found = searchIn(recording(first ?? {}, second ?? {}, third ?? {}, end(2, 'needle'), end(3, 'other')), 'needle')
  t.match(found, [
    { request: 2, isRunning: false, at: 2 },
    { request: 3, isRunning: true, at: 1 },
    { request: 1, isRunning: true, at: 1 },
  ])
  t.equal(found.length, 3)
})

t.test('of a long text what is around the place is shown, in whole characters', async (t) => {
  const finder = new TextFinder('needle')
  const hay = '🦭'.repeat(500)
  const shown = finder.excerpt(`${hay}İ NEEDLE ${hay}`)
  t.match(shown, /^…🦭+İ NEEDLE 🦭+…$/u)
  t.ok(shown.isWellFormed())
  t.ok(shown.length < 260)
  t.equal(finder.excerpt('no such text'), 'no such text')
  const odd = new TextFinder('x')
  t.equal(odd.excerpt(`${'İ'.repeat(300)}x${'y'.repeat(300)}`, 3), '…İİİxyyy…')
})

interface Kept {
  readonly bytes: Buffer | Error
  readonly daemon?: string
  readonly isEmpty?: true
}

const idOf = (number: number) => `ses_${String(number).padStart(26, '0')}`

/** Sessions, newest first by their numbers. */
function partsOf(kept: ReadonlyMap<number, Kept>) {
  const opened: string[] = []
  const all = [...kept.keys()]
    .sort((a, b) => b - a)
    .map((number) => {
      const { daemon = 'dmn_1', isEmpty } = kept.get(number) ?? {}
      return { id: idOf(number), number, daemon_id: daemon, ended_at: 1, recording_entries: isEmpty ? 0 : 1 }
    })
  return {
    opened,
    sessions: async (after: string | undefined, limit: number) =>
      all.filter(({ id }) => after === undefined || id < after).slice(0, limit),
    find: async (id: string) => all.find((one) => one.id === id),
    bytes: async (id: string, offset: number) => {
      opened.push(id)
      const { bytes = Buffer.alloc(0) } = kept.get(Number(id.slice(4))) ?? {}
      if (bytes instanceof Error) throw bytes
      return chunksOf(bytes.subarray(offset))
    },
  }
}

async function* chunksOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 64) yield bytes.subarray(at, at + 64)
}

const wide = { bytes: 1e9, ms: 1e9 }

async function page(parts: ReturnType<typeof partsOf>, limit: number, cursor?: string | null, limits = wide) {
  const ask = { text: 'needle', limit, ...(cursor ? { cursor } : {}) }
  const found: string[] = []
  for await (const line of searchRecordings(parts, ask, limits)) {
    if (line.end) return { found, end: line.end }
    found.push(`${line.session.number} ${line.entry.sql}`)
  }
  throw new Error('the page has no end')
}

/** All pages, each with this limit. */
async function allPages(parts: ReturnType<typeof partsOf>, limit: number, limits = wide) {
  const found: string[] = []
  let cursor: string | null | undefined
  let count = 0
  while (cursor !== null) {
    const got = await page(parts, limit, cursor, limits)
    found.push(...got.found)
    cursor = got.end.next
    if (++count > 1000) throw new Error('the pages have no end')
  }
  return { found, count }
}

const many = new Map<number, Kept>([
  [1, { bytes: recording(query('needle a'), query('hay'), query('needle b'), query('needle c')) }],
  [2, { bytes: recording(query('hay')) }],
  [3, { bytes: recording(query('needle d'), query('needle e')) }],
  [4, { bytes: recording(), isEmpty: true }],
])
const inOrder = ['3 needle d', '3 needle e', '1 needle a', '1 needle b', '1 needle c']

t.test('newest first, in pages of any size, each entry once', async (t) => {
  const parts = partsOf(many)
  t.match(await page(parts, 100), { found: inOrder, end: { next: null, recordings: 3, unreadCount: 0 } })
  t.notOk(parts.opened.includes(idOf(4)), 'one without entries is not opened')
  for (let limit = 1; limit <= 6; limit++) t.strictSame((await allPages(parts, limit)).found, inOrder, `by ${limit}`)
})

t.test('a page ends after so many bytes, or so long, and the next goes on there', async (t) => {
  const parts = partsOf(many)
  const bytes = await allPages(parts, 100, { ...wide, bytes: 1 })
  t.strictSame(bytes.found, inOrder)
  t.ok(bytes.count > 10, `${bytes.count} pages`)
  t.strictSame((await allPages(parts, 100, { ...wide, ms: 0 })).found, inOrder)
})

t.test('a recording that cannot be read is told, and its daemon asked once a page', async (t) => {
  const away = new BrokerError('PEER_UNREACHABLE', 'the recording is kept at b')
  const parts = partsOf(
    new Map<number, Kept>([
      [1, { bytes: recording(query('needle')) }],
      [2, { bytes: away, daemon: 'dmn_2' }],
      [3, { bytes: away, daemon: 'dmn_2' }],
      [4, { bytes: new BrokerError('NOT_FOUND', 'there is no recording') }],
    ]),
  )
  const { found, end } = await page(parts, 100)
  t.strictSame(found, ['1 needle'])
  t.match(end, {
    next: null,
    recordings: 1,
    unreadCount: 3,
    unread: [
      { sessionId: idOf(4), reason: /there is no recording/ },
      { sessionId: idOf(3), reason: /kept at b/ },
      { sessionId: idOf(2), reason: /kept at b/ },
    ],
  })
  t.strictSame(parts.opened, [idOf(4), idOf(3), idOf(1)])
  const broken = partsOf(new Map([[1, { bytes: new Error('the disk is broken') }]]))
  await t.rejects(page(broken, 1), /the disk is broken/)
})

t.test('a cursor that no page gave is refused at once', async (t) => {
  for (const cursor of ['x', 'ses_1', `${idOf(1)}:`, `${idOf(1)}:-1`, `${idOf(1)}:1e9`, `${idOf(1)}\n`])
    t.throws(() => searchRecordings(partsOf(many), { text: 'x', limit: 1, cursor }), { code: 'INVALID_INPUT' }, cursor)
})
