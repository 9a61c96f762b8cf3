/** A daemon without a mark, on a store whose log names one: whom it asks, for how long, and what it makes of the answer. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { MarkState } from '../../../src/audit/mark/mark-file.ts'
import { readMark } from '../../../src/audit/mark/mark-file.ts'
import type { Config } from '../../../src/config/config.ts'
import { openJudgedStore } from '../../../src/daemon/judged-store.ts'
import { signRow } from '../../../src/daemons/daemon-tables.ts'
import { peerHeader, readHead, signMessage } from '../../../src/peers/peer-message.ts'
import { pathOf } from '../../../src/peers/peers.ts'
import { databaseNow } from '../../../src/store/database-clock.ts'
import { newId } from '../../../src/store/ids.ts'
import { type Keyring, openKeyring } from '../../../src/store/keyring.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { configOf, ended, liveWith, locked, newMachine, started } from '../../families/c-the-mark-setup.ts'
import { postgresPlace } from '../store/both-stores.ts'

t.setTimeout(120_000)

/** A store whose first daemon has written a log, and a second daemon with the same keys, which has nothing of its own yet. */
async function startPlace(t: Test) {
  const [first, second] = [newMachine(t), newMachine(t)]
  const place = await postgresPlace()
  const configFor = (stateDir: string): Config => ({
    ...configOf(first),
    store: { ...place, graceMs: 0 },
    stateDir,
    audit: { checkpointEveryMs: 300_000, checkpointEvents: 1000, anchors: [] },
  })
  const settings = configFor(first.stateDir)
  t.equal(await liveWith(settings, [started('ses_1'), locked('prn_eve'), ended('grt_1')]), null)
  const keyring = openKeyring(settings.keysDir)
  const reading = await readMark(first.stateDir, keyring)
  if (reading.kind !== 'read') throw new Error('the first has a mark')
  const db = await openStore(place)
  t.teardown(() => db.destroy())

  /** Writes the row of a daemon that lives. @returns its id */
  const enter = async (url: string | null, more: { silentMs?: number; lost?: boolean; by?: Keyring } = {}) => {
    const id = newId('dmn')
    const row = signRow(more.by ?? keyring, 'daemons', {
      ...{ id, run: 'r', number: 0, name: 'host-a', url, version: '1', started_at: 1 },
      ...{ patience_ms: 15_000, key_ids: 'k', rules_digest: null, heartbeat_at: 0, lost_at: more.lost ? 1 : null },
    })
    await db
      .insertInto('daemons')
      .values((make) => ({ ...row, heartbeat_at: make(databaseNow(db), '-', make.val(more.silentMs ?? 0)) }))
      .execute()
    return id
  }
  /** What the second finds when it starts. @returns why it stays closed, or null */
  const join = async (patienceMs = 400, change: Partial<Config> = {}) => {
    await using closing = new AsyncDisposableStack()
    const config = { ...configFor(second.stateDir), ...change }
    const { judgement } = await openJudgedStore(config, createLogger({ level: 'silent' }), closing, patienceMs)
    return judgement.isOpen ? null : judgement.why
  }
  return { settings, keyring, mark: reading.state, enter, join, db }
}

type Answer = (ask: { path: string; nonce: string; id: string }) => { header: string; body: Buffer } | undefined

/** Something at the address of a daemon. Without an answer it says 503, as one that is starting. */
async function serve(t: Test, answer: Answer) {
  const asked: string[] = []
  const at = { id: '' }
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const nonce = readHead(request.headers[peerHeader])?.nonce ?? ''
      asked.push(request.url ?? '')
      const said = answer({ path: request.url ?? '', nonce, id: at.id })
      if (said) response.writeHead(200, { [peerHeader]: said.header }).end(said.body)
      else response.writeHead(503).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, at }
}

const saying =
  (keys: Keyring, mark: MarkState, from?: string): Answer =>
  ({ path, nonce, id }) =>
    signMessage(keys, { side: 'answer', from: from ?? id, path }, mark, Date.now(), nonce)

const isClosed = /state\.dir holds no mark, but the head of the log names one/

t.test('nobody lives who could be asked: closed at once', async (t) => {
  const { enter, join, keyring } = await startPlace(t)
  const other = openKeyring(path.join(t.testdir(), 'keys'))
  const peer = await serve(t, () => undefined)
  t.match(await join(60_000), isClosed, 'no row at all')
  await enter(null)
  await enter(peer.url, { silentMs: 16_000 })
  await enter(peer.url, { lost: true })
  await enter(peer.url, { by: other })
  t.match(await join(60_000), isClosed, 'without an address, silent, given up, or not written by a daemon')
  t.same(peer.asked, [], 'none of them is asked')
  t.ok(keyring)
})

t.test('one lives and answers: it opens', async (t) => {
  const { enter, join, keyring, mark } = await startPlace(t)
  const peer = await serve(t, saying(keyring, mark))
  peer.at.id = await enter(peer.url)
  t.equal(await join(), null)
  t.same(peer.asked, [pathOf('mark')])
})

t.test('one lives and does not answer: it is asked again until the wait is over', async (t) => {
  const { enter, join } = await startPlace(t)
  const peer = await serve(t, () => undefined)
  await enter(peer.url)
  await enter('http://127.0.0.1:9')
  t.match(await join(700), isClosed)
  t.ok(peer.asked.length >= 2, `${peer.asked.length} times`)
})

t.test('one is starting: it is waited for; one that comes later is too late', async (t) => {
  const { enter, join, keyring, mark } = await startPlace(t)
  let isUp = false
  const peer = await serve(t, (ask) => {
    const answer = isUp ? saying(keyring, mark)(ask) : undefined
    isUp = true
    return answer
  })
  peer.at.id = await enter(peer.url)
  t.match(await join(0), isClosed, 'no second try')
  isUp = false
  t.equal(await join(10_000), null)
  t.equal(peer.asked.length, 3)
})

t.test('of two, the one that answers is enough', async (t) => {
  const { enter, join, keyring, mark } = await startPlace(t)
  const peer = await serve(t, saying(keyring, mark))
  await enter('http://127.0.0.1:9')
  peer.at.id = await enter(peer.url)
  t.equal(await join(), null)
})

t.test('an answer that its daemon did not give opens nothing', async (t) => {
  const { enter, join, keyring, mark } = await startPlace(t)
  const other = openKeyring(path.join(t.testdir(), 'keys'))
  const lies: Readonly<Record<string, Answer>> = {
    'other keys': saying(other, mark),
    'another daemon': saying(keyring, mark, newId('dmn')),
    'another question': ({ id, path }) => signMessage(keyring, { side: 'answer', from: id, path }, mark, Date.now()),
    'another call': ({ id, nonce }) =>
      signMessage(keyring, { side: 'answer', from: id, path: pathOf('cancel') }, mark, Date.now(), nonce),
    'no mark': saying(keyring, {} as MarkState),
  }
  for (const [name, lie] of Object.entries(lies)) {
    const peer = await serve(t, lie)
    peer.at.id = await enter(peer.url)
    t.match(await join(0), isClosed, name)
    t.ok(peer.asked.length >= 1, name)
  }
})

t.test('a mark that the log does not bear out opens nothing', async (t) => {
  const { enter, join, keyring, mark, db } = await startPlace(t)
  const wrong: Readonly<Record<string, readonly [Partial<MarkState>, RegExp]>> = {
    'the log was longer': [{ seq: mark.seq + 3 }, /ends at event \d+, but it had reached event/],
    'another event': [{ hash: 'a'.repeat(64) }, /is not the one that was written/],
    'another installation': [{ installation: newId('ins') }, /belongs to another installation/],
    'more checkpoints': [{ checkpoint: mark.checkpoint + 1 }, /there were/],
    'other revocations': [{ removals: 'a'.repeat(64) }, /revocations, locks and ends in the log are not those/],
    'found damaged': [{ damage: 'event 2' }, /found the log damaged: event 2/],
  }
  let said = mark
  const peer = await serve(t, (ask) => saying(keyring, said)(ask))
  peer.at.id = await enter(peer.url)
  for (const [name, [change, why]] of Object.entries(wrong)) {
    said = { ...mark, ...change }
    t.match(await join(), why, name)
  }
  said = mark
  await db.updateTable('audit_head').set({ seq: 2 }).execute()
  await db.deleteFrom('audit_events').where('seq', '>', 2).execute()
  t.match(await join(), /ends at event 2, but it had reached event|names event/, 'a log that was put back')
})

t.test('a peer that is behind the log: what follows its mark is verified', async (t) => {
  const { settings, enter, join, keyring, mark, db } = await startPlace(t)
  t.equal(await liveWith(settings, [locked('prn_mallory')]), null)
  const peer = await serve(t, saying(keyring, mark))
  peer.at.id = await enter(peer.url)
  t.equal(await join(), null)
  await db.updateTable('audit_head').set({ mac: null }).execute()
  t.match(await join(), /were not written by this broker/)
})

t.test('other keys: an error that says so, before anybody is asked', async (t) => {
  const { enter, join, keyring, mark, db } = await startPlace(t)
  const peer = await serve(t, saying(keyring, mark))
  peer.at.id = await enter(peer.url)
  const before = await db.selectFrom('daemons').selectAll().execute()
  const empty = path.join(t.testdir(), 'empty')
  await t.rejects(join(0, { keysDir: empty }), { code: 'CONFIG_INVALID', message: /keys\.dir: .* missing/ })
  const others = path.join(t.testdir({ others: {} }), 'others', 'keys')
  openKeyring(others)
  await t.rejects(join(0, { keysDir: others }), { code: 'CONFIG_INVALID', message: /keys\.dir: signing\.pem is/ })
  t.same(peer.asked, [])
  t.same(await db.selectFrom('daemons').selectAll().execute(), before)
})
