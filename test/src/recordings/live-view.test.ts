/** What a viewer of a terminal gets of a recording while it is written. */
import t from 'tap'
import { LiveView, mostQueuedBytes, type Shown } from '../../../src/recordings/live-view.ts'

const line = (entry: object) => `${JSON.stringify({ at: 1, ...entry })}\n`
const output = (text: string) => line({ type: 'output', text })
const recording = [
  '{"v":1,"session":"ses_1"}\n',
  line({ type: 'terminal', cols: 80, rows: 24, os_user: 'deploy' }),
  output('one'),
  `{"chain":"${'0'.repeat(64)}","n":2}\n`,
  line({ type: 'input', text: 'secret' }),
  line({ type: 'output', text: '\ufffd', base64: '4oI=' }),
  line({ type: 'resize', cols: 120, rows: 40 }),
  '{"at":1,"type":"output","text":"dam\n',
  line({ type: 'notice', text: 'bob watches' }),
  line({ type: 'end', exitCode: 3 }),
].join('')
const shown = [
  { resize: { cols: 80, rows: 24 } },
  { bytes: Buffer.from('one') },
  { bytes: Buffer.from([0xe2, 0x82]) },
  { resize: { cols: 120, rows: 40 } },
  { notice: 'bob watches' },
  { exit: 3 },
]

function all(view: LiveView): Shown[] {
  const found: Shown[] = []
  for (let next = view.next(); next; next = view.next()) found.push(next)
  return found
}

t.test('terminals, wherever the bytes are cut; nothing of what was typed', async (t) => {
  const bytes = Buffer.from(recording)
  for (let at = 0; at <= bytes.length; at += 1) {
    const view = new LiveView(0)
    view.push(bytes.subarray(0, at))
    view.push(bytes.subarray(at))
    t.same(all(view), shown, `cut at ${at}`)
  }
})

t.test('within a recording it begins at the next line', async (t) => {
  const view = new LiveView(100)
  view.push(Buffer.from(`utput","text":"cut"}\n${output('whole')}`))
  t.same(all(view), [{ bytes: Buffer.from('whole') }])
})

t.test('a slow viewer gets the newest, the last size, and is told how much was skipped', async (t) => {
  const view = new LiveView(0)
  const count = 1000
  view.push(Buffer.from(line({ type: 'resize', cols: 132, rows: 43 })))
  for (let i = 0; i < count; i += 1) view.push(Buffer.from(output(`${i}`.padStart(1024, '.'))))
  const [skipped, size, ...rest] = all(view)
  t.same(size, { resize: { cols: 132, rows: 43 } })
  const kept = rest.length * 1024
  t.ok(kept <= mostQueuedBytes && kept > mostQueuedBytes / 2, `${kept} bytes are kept`)
  t.same(skipped, { skipped: count * 1024 - kept })
  t.match(rest.at(-1), { bytes: Buffer.from('999'.padStart(1024, '.')) })
})

t.test('of a line that never ends nothing is kept', async (t) => {
  const view = new LiveView(0)
  for (let i = 0; i < 40; i += 1) view.push(Buffer.alloc(64 * 1024, 'x'))
  view.push(Buffer.from(`\n${output('next')}`))
  t.same(all(view), [{ bytes: Buffer.from('next') }])
})
