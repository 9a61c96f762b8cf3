/** What open pages are told: by real websockets, of requests, grants and sessions that are made meanwhile. */
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { LiveNews } from '../../../src/http/live/live-news.ts'
import { liveRoutes } from '../../../src/http/routes/page/live.ts'
import type { Login } from '../../../src/identity/principal.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { waitUntil } from '../../wait-until.ts'
import { config, hour, loginOf, ordersId } from '../access/access-setup.ts'
import { type AccessAppDeps, startAccessApp } from './access-app.ts'

interface Page {
  readonly told: string[]
  readonly socket: WebSocket
  /** Undefined while it is open. */
  code: number | undefined
  /** How often the server has asked whether it is there. */
  pings: number
}

async function startHouse(t: Test, pingMs?: number) {
  const gone = new Set<string>()
  let news: LiveNews | undefined
  const more = ({ audit, changes, access, clock, people }: AccessAppDeps) => {
    news = new LiveNews({ audit, changes, audienceOf: access.audienceOf, logger: createLogger({ level: 'silent' }) })
    const loginNow = async (login: Login) => {
      const person = people.get(login.principal.id)
      return person && !gone.has(login.id) ? loginOf(person, clock.now(), { id: login.id }) : undefined
    }
    const times = pingMs === undefined ? {} : { pingMs }
    return [liveRoutes({ news, changes, clock, identity: { loginNow }, ...times })]
  }
  const house = await startAccessApp(t, more)
  const url = (await house.listen()).replace('http', 'ws')
  const open = async (person: string, isOpen = true): Promise<Page> => {
    const socket = new WebSocket(`${url}/api/v1/live`, { headers: { authorization: `Bearer ${person}` } })
    t.teardown(() => socket.terminate())
    const page: Page = { told: [], socket, code: undefined, pings: 0 }
    socket.on('message', (data) => page.told.push((JSON.parse(String(data)) as { topic: string }).topic))
    socket.on('ping', () => page.pings++)
    socket.on('close', (code) => {
      page.code = code
    })
    socket.on('error', () => {})
    await waitUntil(() => socket.readyState !== socket.CONNECTING, 'it is answered')
    if (isOpen) await waitUntil(() => socket.readyState === socket.OPEN, 'it is open')
    return page
  }
  const pages = async <const N extends string>(...names: readonly N[]) => {
    const opened = await Promise.all(names.map(async (name) => [name, await open(name)] as const))
    return Object.fromEntries(opened) as Record<N, Page>
  }
  /** What each was told, once all of it has come: an auditor hears of everything, and each event is told to all at once. */
  const toldOf = async (all: Readonly<Record<string, Page>>, topics: readonly string[]) => {
    await waitUntil(
      () => topics.every((topic) => all.carol?.told.includes(topic)),
      `carol hears of ${topics.join(', ')}`,
    )
    return Object.fromEntries(Object.entries(all).map(([name, { told }]) => [name, told.splice(0).sort()]))
  }
  const ask = (level: string, ticket?: string) => {
    const wanted = { resource: ordersId, level, durationMs: hour, reason: 'why', ...(ticket ? { ticket } : {}) }
    return house.setup.access.request(house.setup.login('alice'), wanted)
  }
  return { ...house, gone, open, pages, toldOf, ask, news: news as LiveNews }
}

t.test('each hears of what is theirs, or theirs to decide or to see, and of nothing else', async (t) => {
  const { setup, pages, toldOf, ask } = await startHouse(t)
  const all = await pages('alice', 'bob', 'meg', 'eve', 'carol', 'dave')
  const requests = ['me', 'requests']
  const { request } = await ask('admin', 'OPS-1')
  const everyone = { alice: requests, bob: requests, meg: requests, eve: [], carol: requests, dave: requests }
  t.same(await toldOf(all, requests), everyone, 'a request')
  const decide = async (person: string) =>
    await setup.access.decide(setup.login(person), request.id, { verdict: 'approve', digest: request.digest })
  await decide('bob')
  t.same(await toldOf(all, requests), everyone, 'one of its decisions')
  const { grant } = await decide('meg')
  const granted = ['grants', ...requests]
  const holders = { alice: granted, bob: granted, meg: granted, eve: [], carol: granted, dave: granted }
  t.same(await toldOf(all, granted), holders, 'the grant')
  const fields = { session: 'ses_1', grant: grant?.id ?? '', resource: ordersId }
  await setup.audit.append({ type: 'session.started', actor: 'alice', fields })
  const sessions = ['sessions']
  t.same(
    await toldOf(all, sessions),
    { alice: sessions, bob: sessions, meg: sessions, eve: [], carol: sessions, dave: sessions },
    'a session',
  )
  const push = { push: 'k', grants: [grant?.id ?? ''] }
  await setup.audit.append({ type: 'push.granted', actor: 'system', fields: push })
  const grants = ['grants']
  const isGrant = { alice: grants, bob: grants, meg: grants, eve: [], carol: grants, dave: grants }
  t.same(await toldOf(all, grants), isGrant, 'how it stands in AWS')
  await setup.access.revoke(setup.login('dave'), grant?.id ?? '', 'incident')
  t.same(await toldOf(all, ['grants']), holders, 'its end')
  const own = await ask('readonly')
  t.ok(own.grant)
  const self = await toldOf(all, granted)
  t.same([self.alice, self.bob, self.eve, self.carol], [granted, [], [], granted], 'what no one approves')
})

t.test('much at once is told as one, and too much without a look at whose it is', async (t) => {
  const { setup, pages, toldOf, ask } = await startHouse(t)
  const all = await pages('alice', 'eve', 'carol')
  const { grant } = await ask('readonly')
  await toldOf(all, ['grants'])
  for (let i = 0; i < 50; i++)
    await setup.audit.append({ type: 'session.started', actor: 'alice', fields: { grant: grant?.id ?? '' } })
  t.same(await toldOf(all, ['sessions']), { alice: ['sessions'], eve: [], carol: ['sessions'] })
  for (let i = 0; i < 6000; i++)
    await setup.audit.append({ type: 'session.ended', actor: 'x', fields: { grant: `grt_${i}` } })
  await waitUntil(() => all.eve.told.includes('sessions'), 'everyone reads again')
})

t.test('rules and the directory: what may be asked for, and who one is', async (t) => {
  const { setup, pages, toldOf } = await startHouse(t)
  const all = await pages('alice', 'eve', 'carol')
  await setup.access.reload(config())
  const both = ['me', 'resources']
  t.same(await toldOf(all, both), { alice: both, eve: both, carol: both })
  await setup.change('alice', { groups: ['security'] })
  await waitUntil(() => all.alice.told.length > 0, 'alice is told')
  t.same([all.alice.told, all.eve.told], [['me'], []])
})

t.test('it is closed with the login, and with what the person may no longer be', async (t) => {
  const { setup, open, gone } = await startHouse(t, 1000)
  const [first, second, third] = [await open('alice'), await open('bob'), await open('meg')]
  const removal = { reason: 'login-ended', text: 'signed out', decidedAt: setup.clock.now() } as const
  setup.changes.publish({ what: 'login', id: 'lgn_alice', ...removal })
  await waitUntil(() => first.code !== undefined, 'alice')
  setup.changes.publish({ what: 'principal', id: 'bob', ...removal })
  await waitUntil(() => second.code !== undefined, 'bob')
  gone.add('lgn_meg')
  await waitUntil(() => third.code !== undefined, 'meg, whom no change tells of')
  t.same([first.code, second.code, third.code], [4401, 4401, 4401])
})

t.test('one that is no longer an auditor hears of no more than others', async (t) => {
  const { setup, open, ask } = await startHouse(t)
  const [carol, dave] = [await open('carol'), await open('dave')]
  await setup.change('carol', { groups: [] })
  await waitUntil(() => carol.told.includes('me'), 'she reads herself again')
  await ask('readonly')
  await waitUntil(() => dave.told.includes('grants'), 'dave hears of it')
  t.same(carol.told, ['me'])
})

t.test('at most twenty of one login, which must not speak', async (t) => {
  const { open } = await startHouse(t)
  const many = await Promise.all(Array.from({ length: 20 }, () => open('alice')))
  const more = await open('alice', false)
  await waitUntil(() => more.code !== undefined, 'one more is refused')
  t.equal(more.code, 1013)
  t.equal((await open('bob')).code, undefined, 'others are not concerned')
  const [first] = many
  if (!first) throw new Error('none')
  first.socket.send('x')
  await waitUntil(() => first.code !== undefined, 'it has spoken')
  t.equal(first.code, 1008)
  t.equal((await open('alice')).code, undefined, 'there is room again')
})

t.test('a closing daemon says that it will be back', async (t) => {
  const house = await startHouse(t)
  const page = await house.open('alice')
  await house.close()
  await waitUntil(() => page.code !== undefined, 'it is closed')
  t.equal(page.code, 1012)
})

t.test('who is not signed in gets none', async (t) => {
  const { open } = await startHouse(t)
  const unknown = await open('nobody', false)
  await waitUntil(() => unknown.code !== undefined, 'it is refused')
  t.equal(unknown.code, 1006)
})

t.test('a page that takes nothing is let go, and one that answers stays', async (t) => {
  const { open } = await startHouse(t, 700)
  const page = await open('alice')
  page.socket.pause() // answers no ping any more
  const watch = await open('bob')
  await waitUntil(() => watch.pings > 2, 'time for two pings')
  t.equal(watch.code, undefined)
  page.socket.resume()
  await waitUntil(() => page.code !== undefined, 'it was closed')
  t.equal(page.code, 1006)
})
