/** What a hostile instance, or a hostile client, may not cost the broker. */
import t from 'tap'
import { AwayNotice } from '../../../proxy/shell/away-notice.ts'
import type { StartWork } from '../../sandbox/ssm/work.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { startShell } from './shell-fixture.ts'

/** Repeats what is typed. */
const shell: StartWork = (_spec, { output }) => {
  void output(1, Buffer.from('$ '))
  return {
    take: (type, payload) => {
      if (type === 1) void output(1, payload)
      return true
    },
    stop: () => {},
  }
}

t.test('an instance that comes and goes fills neither the screen nor the recording', async (t) => {
  const { connect, session, seen } = await startShell(t, { agent: { shell } })
  const client = await connect()
  await client.shows(/\$ /)
  for (let count = 0; count < 1000; count += 1) {
    session.publication('pause_publication')
    session.publication('start_publication')
  }
  client.type('typed')
  await client.shows(/typed/)
  t.same(client.notices(), ['this session is recorded'])
  t.equal(seen.entries.filter(({ type }) => type === 'notice').length, 1)
})

t.test('the person is told of one that is away for a while, and that it is back', async (t) => {
  const told: string[] = []
  const notice = new AwayNotice((text) => told.push(text), 1)
  notice.set(true)
  await waitUntil(() => told.length === 1, 'it is away')
  notice.set(false)
  notice.set(false)
  t.match(told, [/does not answer/, 'it answers again'])
})

t.test('a client that resizes and types while the recorder is behind is not read on', async (t) => {
  const { connect, control, seen } = await startShell(t, { agent: { shell }, rules: { recordsInput: true } })
  const client = await connect()
  await client.shows(/\$ /)
  control.isFull = true
  const count = 20_000
  for (let at = 0; at < count; at += 1) client.say({ resize: { cols: 80 + (at % 2), rows: 24 } })
  const resizes = () => seen.entries.filter(({ type }) => type === 'resize').length
  await waitUntil(() => resizes() > 0, 'it has begun')
  let before = -1
  while (resizes() > before) {
    before = resizes()
    await quietFor(100, 'nothing more comes')
  }
  t.ok(before < count / 2, `${before} entries`)
  control.isFull = false
  control.drain()
  await waitUntil(() => resizes() === count, 'the others follow')
})
