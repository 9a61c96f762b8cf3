/** What the program at an instance says, cut at every place, and names. */
import t from 'tap'
import { readAsk, readClientMessage } from '../../../../proxy/wire/copy/messages.ts'
import { decodeName, encodeName, isBelow, isPath } from '../../../../proxy/wire/copy/names.ts'
import { type ProgramEvent, ProgramReader, program } from '../../../../proxy/wire/copy/program.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

const said = 'sallyport ready\r\nfile 4755 5 pa.txt\naGVs\nbG8=\n.\nskip link bw6k=\nfolder 755 p\nend\n'

/** Bytes that follow each other are one. */
function read(chunks: readonly Buffer[]): unknown[] {
  const reader = new ProgramReader()
  const events: (Exclude<ProgramEvent, { type: 'bytes' }> | { type: 'bytes'; text: string })[] = []
  for (const chunk of chunks)
    for (const event of reader.push(chunk)) {
      const last = events.at(-1)
      if (event.type !== 'bytes') events.push(event)
      else if (last?.type === 'bytes' && 'text' in last) last.text += event.bytes
      else events.push({ type: 'bytes', text: String(event.bytes) })
    }
  return events
}

t.test('the same events wherever it is cut', async (t) => {
  const whole = Buffer.from(said)
  const events = [
    { type: 'ready' },
    { type: 'file', mode: 0o755, size: 5, name: 'a.txt' },
    { type: 'bytes', text: 'hello' },
    { type: 'file-end' },
    { type: 'skip', why: 'link', name: 'é' },
    { type: 'folder', mode: 0o755, name: '' },
    { type: 'end' },
  ]
  for (let at = 0; at <= whole.length; at += 1)
    t.same(read([whole.subarray(0, at), whole.subarray(at)]), events, `${at}`)
  t.same(read([...whole].map((byte) => Buffer.from([byte]))), events)
})

t.test('what the program never says is refused, and a name that is no UTF-8 has none', async (t) => {
  for (const text of [
    'rm\n',
    'is other\n',
    'no\n',
    'folder 9 pa\n',
    'file 644 -1 pa\n',
    'file 644 99999999999999999 pa\n',
    'file 644 3 pa\nYW=j\n',
    'file 644 3 pa\nYW==\nYWJj\n',
    'file 644 3 pa\nYWJ\n.\n',
    'file 644 3 pa\n$(id)\n',
    'x'.repeat(6001),
  ])
    t.throws(() => read([Buffer.from(text)]), WireError, text.slice(0, 40))
  t.match(read([Buffer.from('folder 755 b/w==\n')]), [{ name: undefined }])
  t.match(read([Buffer.from('folder 755 x\n')]), [{ name: undefined }])
})

t.test('names are one word of plain characters or of base64, and lead nowhere else', async (t) => {
  for (const name of [
    '',
    'a',
    'a/b.c',
    ' ',
    "'; rm -rf /; '",
    '$(id)',
    '`id`',
    'a\nb',
    '\ufeffx',
    '-rf',
    'é'.repeat(2048),
  ]) {
    t.match(encodeName(name), /^(?:p[A-Za-z0-9._/-]*|b[A-Za-z0-9+/]+={0,2})$/)
    t.equal(decodeName(encodeName(name)), name)
  }
  t.equal(program.file(0o640, 3, '/tmp/a b'), 'file 640 3 bL3RtcC9hIGI=\n')
  for (const name of ['', 'a', 'a/b', '..a', '...', 'a..', ' ']) t.ok(isBelow(name), name)
  for (const name of ['/', '/a', '..', 'a/..', 'a/../b', '.', './a', 'a//b', 'a/', 'a\0', '\ud800', 'x'.repeat(4097)])
    t.notOk(isBelow(name), name)
  t.notOk(isPath(''))
})

t.test('messages of a client', async (t) => {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value))
  t.same(readAsk(text({ copy: { path: '~', recursive: true, name: '' } })), { path: '~', recursive: true, name: '' })
  for (const copy of [
    { path: '', recursive: true, name: '' },
    { path: 'a\0', recursive: true, name: '' },
    { path: 'a', recursive: 1, name: '' },
    { path: 'a', recursive: true, name: '..' },
    { path: 'a', recursive: true, name: 'a/b' },
    null,
  ])
    t.equal(readAsk(text({ copy })), undefined, JSON.stringify(copy))
  t.same(readClientMessage(text({ end: true })), { type: 'end' })
  for (const message of [
    { file: { name: '../a', mode: 0o644, size: 1 } },
    { file: { name: 'a', mode: 0o4755, size: 1 } },
    { file: { name: 'a', mode: 0o644, size: 1.5 } },
    { file: { name: 'a', mode: 0o644, size: 1 }, end: true },
    { ack: -1 },
    'x'.repeat(40_000),
  ])
    t.equal(readClientMessage(text(message)), undefined)
})
