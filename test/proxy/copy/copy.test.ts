/** Files from a client's websocket to the program of the session document under a real pty, and back. */
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { noPty } from '../../sandbox/ssm/shell.ts'
import { waitUntil } from '../../wait-until.ts'
import { startCopy } from './copy-fixture.ts'

const pty = { skip: noPty }
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
const ended = async (seen: { readonly ends: readonly unknown[] }) =>
  await waitUntil(() => seen.ends.length === 1, 'the session ended', 20_000)
const strange = `it's "odd"\n\t$(touch injected) \`id\`; * \\ é -rf`
const invalid = Buffer.from('61ff62', 'hex')

t.test('a file upwards: the same bytes, its mode, and what is on record', pty, async (t) => {
  const dir = t.testdir()
  const bytes = Buffer.concat([randomBytes(150_001), Buffer.from('\u0003\u0004\u001a\r\n\u0000\ufffd')])
  const { connect, seen, session } = await startCopy(t, { direction: 'up' })
  const to = path.join(dir, strange)
  const client = await connect({ copy: { path: to, recursive: false, name: 'local' } })
  await client.hears('ready')
  client.say({ file: { name: '', mode: 0o750, size: bytes.length } })
  for (let at = 0; at < bytes.length; at += 60_000) client.send(bytes.subarray(at, at + 60_000))
  client.say({ end: true })
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.same(client.seen.messages, [
    { ready: { path: to } },
    { done: { name: '', size: bytes.length, sha256: sha256(bytes) } },
    { end: true },
  ])
  t.ok(readFileSync(to).equals(bytes))
  t.equal(statSync(to).mode & 0o777, 0o750)
  t.same(readdirSync(dir), [strange])
  await ended(seen)
  t.match(seen.ends, [{ reason: 'upstream-closed', bytesUp: bytes.length, bytesDown: 0 }])
  t.match(seen.entries, [
    { type: 'copy', copy: 'up', path: to, recursive: false },
    { type: 'file', begun: true, direction: 'up', request: 1, path: to, size: bytes.length },
    { type: 'file', direction: 'up', request: 1, path: to, size: bytes.length, sha256: sha256(bytes) },
    { type: 'end', files: 1, bytesUp: bytes.length, bytesDown: 0 },
  ])
  t.match(seen.asks, [{ carrier: { protocol: 'copy' }, to: { copy: 'up' } }])
  t.same(session.faults, [])
})

t.test('a file downwards: the same bytes, also those that agents alter', pty, async (t) => {
  const bytes = Buffer.concat([Buffer.from('\ufffd\ufffd.\n'), randomBytes(400_000), Buffer.from([0xe2, 0x80])])
  const dir = t.testdir()
  const from = path.join(dir, strange)
  writeFileSync(from, bytes, { mode: 0o640 })
  const { connect, seen, session } = await startCopy(t, { direction: 'down' })
  const client = await connect({ copy: { path: from, recursive: false, name: '' } })
  await waitUntil(() => client.seen.bytes >= 256 * 1024, 'the window is used up', 20_000)
  t.ok(client.seen.bytes < 300 * 1024, `${client.seen.bytes} bytes to a client that takes none`)
  client.takes()
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.ok(bytes.equals(Buffer.concat(client.seen.chunks)))
  t.same(client.seen.messages, [
    { ready: { path: from } },
    { file: { name: '', mode: 0o640, size: bytes.length } },
    { done: { name: '', size: bytes.length, sha256: sha256(bytes) } },
    { end: true },
  ])
  await ended(seen)
  t.match(seen.entries.slice(1), [
    { type: 'file', begun: true, direction: 'down', path: from, size: bytes.length },
    { type: 'file', direction: 'down', path: from, size: bytes.length, sha256: sha256(bytes) },
    { type: 'end', files: 1, bytesDown: bytes.length },
  ])
  t.notMatch(JSON.stringify(seen.entries), bytes.toString('base64').slice(0, 40))
  t.same(session.faults, [])
})

t.test(
  'a folder upwards, into one that is there: what cannot be written is said, the rest is there',
  pty,
  async (t) => {
    const dir = t.testdir({ there: { tree: { taken: {} } } })
    symlinkSync('/nowhere', path.join(dir, 'there/tree/link'))
    const { connect, seen } = await startCopy(t, { direction: 'up' })
    const client = await connect({ copy: { path: `${dir}/there/`, recursive: true, name: 'tree' } })
    client.say({ folder: { name: '', mode: 0o755 } })
    const files = { a: 'one', taken: 'no', link: 'instead of a link', 'none/b': 'two', 'sub/c': '' }
    client.say({ folder: { name: 'sub', mode: 0o555 } })
    client.say({ folder: { name: 'a', mode: 0o755 } })
    for (const [name, text] of Object.entries(files)) {
      client.say({ file: { name, mode: 0o600, size: text.length } })
      if (text !== '') client.send(text)
    }
    client.say({ folder: { name: 'a', mode: 0o755 } })
    client.say({ end: true })
    t.same(await client.closes(), { code: 1000, reason: '' })
    const root = path.join(dir, 'there/tree')
    t.match(client.seen.messages[0], { ready: { path: root } })
    t.match(
      client.seen.messages.filter(({ failed }) => failed),
      [
        { failed: { name: 'a', why: 'it is a folder' } },
        { failed: { name: 'taken', why: 'it is a folder' } },
        { failed: { name: 'none/b', why: /folder that it belongs into/ } },
      ],
    )
    t.equal(readFileSync(path.join(root, 'link'), 'utf8'), 'instead of a link')
    t.equal(readFileSync(path.join(root, 'sub/c'), 'utf8'), '')
    t.same(readdirSync(root).sort(), ['a', 'link', 'sub', 'taken'])
    await ended(seen)
    t.match(
      seen.entries.filter(({ failure }) => failure),
      [
        { type: 'file', path: `${root}/a`, size: 3, sha256: sha256('one') },
        { type: 'file', path: `${root}/taken` },
        { type: 'file', path: `${root}/none/b`, size: 3 },
      ],
    )
  },
)

t.test('a folder downwards: links, pipes and names that are no text are left out', pty, async (t) => {
  const dir = t.testdir({ tree: { '.hidden': 'dot', '..odd': 'dots', '*': 'star', sub: { [strange]: 'deep' } } })
  const root = path.join(dir, 'tree')
  symlinkSync('/etc/passwd', path.join(root, 'link'))
  symlinkSync(dir, path.join(root, 'up'))
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), invalid]), 'invalid')
  mkdirSync(path.join(root, 'empty'))
  const { connect, seen } = await startCopy(t, { direction: 'down' })
  const client = await connect({ copy: { path: `${root}//`, recursive: true, name: '' } })
  client.takes()
  await client.closes()
  const told = client.seen.messages
  t.same(told.flatMap(({ done }) => (done ? [(done as { name: string }).name] : [])).sort(), [
    '*',
    '..odd',
    '.hidden',
    `sub/${strange}`,
  ])
  t.same(
    told.flatMap(({ folder }) => (folder ? [(folder as { name: string }).name] : [])),
    ['', 'empty', 'sub'],
  )
  t.match(
    told.flatMap(({ skipped, failed }) => [skipped ?? failed ?? []].flat()),
    [
      { name: '', why: 'its name is no UTF-8' },
      { name: 'link', why: 'links are not copied' },
      { name: 'up', why: 'links are not copied' },
    ],
  )
  await ended(seen)
  t.match(
    seen.entries.find(({ path: at }) => String(at).endsWith(strange)),
    { type: 'file', path: `${root}/sub/${strange}` },
  )
})

t.test('what is no file, a folder without -r, and what is not there are refused in words', pty, async (t) => {
  const dir = t.testdir({ folder: {}, secret: 'x' })
  chmodSync(path.join(dir, 'secret'), 0o000)
  const refused = async (direction: 'up' | 'down', at: string) => {
    const { connect, seen } = await startCopy(t, { direction })
    const client = await connect({ copy: { path: at, recursive: false, name: direction === 'up' ? 'x' : '' } })
    t.same(await client.closes(), { code: 1000, reason: '' })
    await ended(seen)
    t.match(seen.ends, [{ reason: 'upstream-closed' }])
    t.match(seen.entries[1], { type: 'skipped', direction })
    t.same(client.seen.messages.at(-1), { end: true })
    return JSON.stringify(client.seen.messages.find(({ failed }) => failed))
  }
  t.match(await refused('down', path.join(dir, 'folder')), /it is a folder.*with -r/)
  t.match(await refused('down', path.join(dir, 'none')), /no such file/)
  t.match(await refused('down', '/dev/null'), /no regular file/)
  if (process.getuid?.() !== 0) t.match(await refused('down', path.join(dir, 'secret')), /permission denied/)
  t.match(await refused('up', '/dev/null'), /no regular file/)
  t.match(await refused('up', `${dir}/none/`), /is not there/)
})

t.test('a cut: nothing of what came is under its name, and it is on record as far as it came', pty, async (t) => {
  const dir = t.testdir()
  const to = path.join(dir, 'big')
  const { connect, seen, cut } = await startCopy(t, { direction: 'up' })
  const client = await connect({ copy: { path: to, recursive: false, name: 'big' } })
  const part = randomBytes(200_000)
  client.say({ file: { name: '', mode: 0o644, size: 1_000_000 } })
  client.send(part)
  await waitUntil(() => seen.relayed.up >= part.length || readdirSync(dir).length > 0, 'it is under way', 20_000)
  await cut()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  t.match(client.seen.messages.at(-1), { notice: /incident 42/ })
  await ended(seen)
  t.match(seen.ends, [{ reason: 'grant-revoked', stoppedAt: Number, decidedAt: Number }])
  await waitUntil(() => readdirSync(dir).length === 0, 'nothing is left', 20_000)
  const entry = seen.entries.find(({ failure }) => failure) as { size: number; sha256: string }
  t.match(entry, { type: 'file', path: to, failure: 'the session ended first' })
  t.equal(entry.sha256, sha256(part.subarray(0, entry.size)))
})

t.test('a client that leaves, and one that says what no client says', pty, async (t) => {
  const dir = t.testdir()
  const leaver = await startCopy(t, { direction: 'up' })
  const client = await leaver.connect({ copy: { path: path.join(dir, 'x'), recursive: false, name: 'x' } })
  await client.hears('ready')
  client.say({ file: { name: '', mode: 0o644, size: 10 } })
  client.send('half')
  client.socket.close()
  await ended(leaver.seen)
  t.match(leaver.seen.ends, [{ reason: 'client-closed' }])
  await waitUntil(() => readdirSync(dir).length === 0, 'nothing is left', 20_000)

  const wrong: readonly (readonly unknown[])[] = [
    [{ file: { name: '../up', mode: 0o644, size: 1 } }],
    [{ file: { name: '', mode: 0o4755, size: 1 } }],
    [{ file: { name: 'inside', mode: 0o644, size: 1 } }],
    [Buffer.from('bytes of nothing')],
    [{ file: { name: '', mode: 0o644, size: 1 } }, Buffer.from('two')],
  ]
  for (const messages of wrong) {
    const { connect, seen } = await startCopy(t, { direction: 'up' })
    const bad = await connect({ copy: { path: path.join(dir, 'y'), recursive: false, name: 'y' } })
    await bad.hears('ready')
    for (const one of messages) Buffer.isBuffer(one) ? bad.send(one) : bad.say(one)
    await bad.closes()
    t.match(bad.seen.messages.at(-1), { error: { code: 'PROTOCOL_ERROR' } }, JSON.stringify(messages))
    await ended(seen)
    t.match(seen.ends, [{ reason: 'protocol-error' }])
  }
  await waitUntil(() => readdirSync(dir).length === 0, 'nothing is left', 20_000)
  for (const first of [{ copy: { path: '', recursive: false, name: '' } }, { command: 'id' }]) {
    const { connect, seen } = await startCopy(t, { direction: 'down' })
    const none = await connect(first)
    await none.closes()
    t.match(none.seen.messages, [{ error: { code: 'PROTOCOL_ERROR' } }])
    t.same(seen.asks, [], 'no session was asked for')
  }
  t.notOk(existsSync('injected'))
})

t.test('an instance that names files elsewhere, sends too much, or talks nonsense', pty, async (t) => {
  const says = (text: string) => `stty raw -echo; printf 'sallyport ready\\n'; read -r line; printf '${text}'; sleep 5`
  const cases = [
    ['file 644 3 p../../etc/passwd\\nYWJj\\n.\\nend\\n', 'TARGET_UNTRUSTED'],
    ['file 644 2 pa\\nYWJj\\n.\\nend\\n', 'TARGET_LOST'],
    ['ok\\n', 'TARGET_LOST'],
  ] as const
  for (const [text, code] of cases) {
    const { connect, seen } = await startCopy(t, { direction: 'down', program: says(text) })
    const client = await connect({ copy: { path: '/tree', recursive: true, name: '' } })
    client.takes()
    await client.closes()
    t.match(client.seen.messages.at(-1), { error: { code } }, text)
    await ended(seen)
    t.match(seen.ends, [{ reason: 'upstream-failed', error: { code } }], text)
  }
  const { connect } = await startCopy(t, { direction: 'up', program: 'echo "sallyport refused it has no stat"' })
  const client = await connect({ copy: { path: '/tmp/x', recursive: false, name: 'x' } })
  await client.closes()
  t.match(client.seen.messages, [{ error: { code: 'TARGET_REFUSED', message: /no stat/, hint: /base64/ } }])
})

t.test('budget, idle time, and a recording that fails or is slow', pty, async (t) => {
  const dir = t.testdir({ file: 'x'.repeat(5000) })
  const from = path.join(dir, 'file')
  const small = await startCopy(t, { direction: 'down', engine: { budget: { rows: 0, bytes: 1000, ms: 0 } } })
  const client = await small.connect({ copy: { path: from, recursive: false, name: '' } })
  t.same(await client.closes(), { code: 4001, reason: 'budget-used' })
  t.ok(client.seen.bytes <= 1000, `${client.seen.bytes}`)
  t.match(client.seen.messages.at(-1), { notice: /budget of 1000 bytes/ })

  const idle = await startCopy(t, { direction: 'up', rules: { idleTimeoutMs: 50 } })
  const silent = await idle.connect({ copy: { path: path.join(dir, 'y'), recursive: false, name: 'y' } })
  t.same(await silent.closes(), { code: 4001, reason: 'idle' })

  const broken = await startCopy(t, { direction: 'down' })
  broken.control.breaks = true
  const unrecorded = await broken.connect({ copy: { path: from, recursive: false, name: '' } })
  await unrecorded.closes()
  t.match(unrecorded.seen.messages, [{ error: { code: 'RECORDING_FAILED' } }])
  t.equal(broken.tickets(), 0, 'nothing was asked of AWS')

  const strict = await startCopy(t, { direction: 'down', engine: { isRecordingStrict: true } })
  strict.control.holds = true
  const waiting = await strict.connect({ copy: { path: from, recursive: false, name: '' } })
  await waitUntil(() => strict.seen.entries.length === 1, 'it is to be recorded')
  t.equal(strict.tickets(), 0, 'not before that is on file')
  strict.control.holds = false
  strict.control.written()
  await waiting.closes()
  t.match(waiting.seen.messages.at(-1), { end: true })
})
