/** The approver, auditor and admin: no list is cut without a word, and every list goes by the same names. */
import t from 'tap'
import type { RouteContract } from '../../src/contract/route-contract.ts'
import { routes } from '../../src/contract/routes.ts'
import { newId } from '../../src/store/ids.ts'
import { listSource, readPage } from '../../src/store/lists.ts'
import { startFakeBroker } from '../proxy/local/fake-broker.ts'
import { hour, ledgerId, ordersId } from '../src/access/access-setup.ts'
import { openTerminal } from '../src/cli/run-cli.ts'
import { startAccessApp } from '../src/http/access-app.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

type House = Awaited<ReturnType<typeof startAccessApp>>

const engineers = ['alice', 'amy', 'ann']

/** Requests of engineers that nobody has decided. */
async function requested(house: House, count: number): Promise<string[]> {
  const ids: string[] = []
  const ask = { resource: 'orders', level: 'admin', durationMs: hour, reason: 'fix it', ticket: 'OPS-1' }
  for (let i = 0; i < count; i++) {
    const who = engineers[Math.floor(i / 45)] ?? '' // nobody may have more than 50 open
    ids.push((await house.setup.access.request(house.setup.login(who), ask)).request.id)
  }
  return ids
}

interface Page {
  items: { id: string }[]
  next: string | null
  total: number
  capped: boolean
}

async function page(house: House, person: string, url: string): Promise<Page> {
  const { status, body } = await house.call(person, 'GET', url)
  if (status !== 200) throw new Error(`${url}: ${JSON.stringify(body)}`)
  return body
}

/** @param between happens after each page */
async function pageThrough(house: House, person: string, url: string, between = async () => {}): Promise<Page[]> {
  const pages: Page[] = []
  for (let cursor = ''; ; ) {
    const found = await page(house, person, `${url}${cursor}`)
    pages.push(found)
    if (found.next === null) return pages
    cursor = `&cursor=${encodeURIComponent(found.next)}`
    await between()
  }
}

t.test('I1: 100 of 120 are called 100 of 120, in the API and on the command line', async (t) => {
  const house = await startAccessApp(t)
  for (const name of engineers) await house.setup.change(name, { groups: ['engineering'], manager: 'meg@example.com' })
  const ids = (await requested(house, 120)).reverse()
  const first = await page(house, 'bob', '/api/v1/requests')
  t.same(
    first.items.map(({ id }) => id),
    ids.slice(0, 100),
  )
  t.match(first, { total: 120, capped: false, requests: first.items })
  t.match(await page(house, 'bob', `/api/v1/requests?cursor=${first.next}`), { total: 120, next: null })

  const url = await house.listen()
  const as = (person: string) => openTerminal(t, null, { SALLYPORT_SERVER: url, SALLYPORT_TOKEN: person })
  const note = 'showing 100 of 120; see more with --limit, or everything with --all\n'
  const listed = await as('bob').run('requests')
  t.match(listed, { code: 0, stderr: note })
  t.equal(listed.stdout.match(/^req_/gm)?.length, 100)
  const json = await as('bob').run('requests', '--json')
  t.match(json, { code: 0, stderr: note }, 'also beside JSON')
  t.match(JSON.parse(json.stdout), { items: { length: 100 }, next: ids[99], total: 120, capped: false })
  const more = await as('bob').run('requests', '--limit', '110', '--json')
  t.match(more.stderr, 'showing 110 of 120')
  t.equal(JSON.parse(more.stdout).items.length, 110)
  const all = await as('bob').run('requests', '--all')
  t.match(all, { code: 0, stderr: '' })
  t.equal(all.stdout.match(/^req_/gm)?.length, 120)
})

t.test('I1: pages neither skip nor repeat while others are added and end', async (t) => {
  const house = await startAccessApp(t)
  const ids = await requested(house, 23)
  const added: string[] = []
  const pages = await pageThrough(house, 'bob', '/api/v1/requests?limit=5&all=true', async () => {
    added.push(...(await requested(house, 2)))
    await house.setup.access.cancel(house.setup.login('alice'), ids[3] ?? '').catch(() => undefined)
  })
  t.same(
    pages.flatMap(({ items }) => items.map(({ id }) => id)),
    ids.toReversed(),
  )
  t.ok(added.length > 4)
  t.equal(pages.at(-1)?.total, 23 + added.length)
})

t.test('I1: an approver pages through what is theirs among what is not', async (t) => {
  const house = await startAccessApp(t)
  await house.setup.change('carol', { groups: ['finance'] })
  const mine: string[] = []
  for (let i = 0; i < 30; i++) {
    const ask = { resource: ledgerId, level: 'readonly', durationMs: hour }
    await house.setup.access.request(house.setup.login('carol'), ask)
    if (i % 6 === 0) mine.push(...(await requested(house, 1)))
  }
  const pages = await pageThrough(house, 'bob', '/api/v1/requests?limit=2&all=true')
  t.same(
    pages.map(({ items, total }) => [items.length, total]),
    [
      [2, 5],
      [2, 5],
      [1, 5],
    ],
  )
  t.same(
    pages.flatMap(({ items }) => items.map(({ id }) => id)),
    mine.toReversed(),
  )
  const grants = await page(house, 'carol', '/api/v1/grants?limit=7')
  t.match(grants, { items: { length: 7 }, total: 30, capped: false })
  t.same((await page(house, 'bob', '/api/v1/grants')).items, [], 'what nobody approves, no approver sees')
})

t.test('I1: filters go by person, resource and time, by any of their names', async (t) => {
  const house = await startAccessApp(t)
  const [first] = await requested(house, 1)
  await house.setup.change('carol', { groups: ['finance', 'security'] })
  const ask = { resource: ledgerId, level: 'readonly', durationMs: hour }
  const { grant } = await house.setup.access.request(house.setup.login('carol'), ask)
  const found = async (person: string, query: string) =>
    (await page(house, person, `/api/v1/requests?all=true&${query}`)).items.map(({ id }) => id)
  for (const who of ['alice', 'alice%40example.com']) t.same(await found('dave', `who=${who}`), [first], who)
  t.same(await found('carol', 'who=me'), [grant?.requestId])
  for (const name of ['orders', encodeURIComponent(ordersId)])
    t.same(await found('dave', `resource=${name}`), [first], name)
  const { createdAt } = (await page(house, 'dave', `/api/v1/requests?all=true&who=alice`)).items[0] as never as {
    createdAt: number
  }
  t.same(await found('dave', `who=alice&until=${createdAt}`), [], 'the end is not part of it')
  t.same(await found('dave', `who=alice&since=${createdAt}`), [first], 'the beginning is')
  t.same((await page(house, 'dave', '/api/v1/grants?who=carol&resource=ledger')).items.length, 1)
  t.same((await page(house, 'dave', '/api/v1/grants?who=carol&resource=orders')).items.length, 0, 'known, and nothing')
  t.same((await page(house, 'dave', '/api/v1/resources?resource=orders')).items.length, 1)
})

t.test('I1: a name that nobody has is an error, and no way to find out who exists', async (t) => {
  const house = await startAccessApp(t)
  await requested(house, 1)
  for (const list of ['requests', 'grants', 'resources']) {
    const name = list === 'resources' ? 'resource' : 'who'
    const { status, body } = await house.call('dave', 'GET', `/api/v1/${list}?${name}=nobody%40example.com`)
    t.match({ status, body }, { status: 404, body: { code: 'NOT_FOUND', detail: /nobody@example\.com/ } }, list)
  }
  t.match(await house.call('dave', 'GET', '/api/v1/requests?resource=nothing'), { status: 404 })
  const answers = await Promise.all(
    ['carol', 'nobody'].map((who) => house.call('eve', 'GET', `/api/v1/requests?who=${who}%40example.com`)),
  )
  const bare = answers.map(({ status, body }) => [
    status,
    JSON.stringify(body)
      .replace(/carol|nobody/g, '…')
      .replace(/req-\w+/, ''),
  ])
  t.equal(bare[0]?.[0], 404)
  t.same(bare[0], bare[1], 'whether a person exists')
  t.match(await house.call('dave', 'GET', '/api/v1/grants?cursor=grt_x'), {
    status: 400,
    body: { code: 'INVALID_INPUT' },
  })
  t.match(await house.call('dave', 'GET', '/api/v1/grants?limit=1001'), { status: 400 }, 'pages are bounded')
})

t.test('I1: every list of the contract has the same form and the same names', async (t) => {
  const contracts: Readonly<Record<string, RouteContract>> = routes
  /** Lists that are one document. */
  const whole = [
    'GET /api/v1/rules',
    'GET /api/v1/config/plan',
    'GET /api/v1/policy/why',
    'GET /api/v1/audit/verify',
    'GET /api/v1/aws/installation',
    'GET /api/v1/aws/preparation',
    'GET /readyz',
    'GET /api/v1/whoami',
    'GET /api/v1/me',
    'GET /api/v1/resources/options',
    'GET /api/v1/connect/options',
    'GET /api/v1/requests/:id/use', // the last five
    'GET /api/v1/usage/aws',
    'GET /api/v1/usage/services',
  ]
  const filters = [
    'who',
    'resource',
    'since',
    'until',
    'limit',
    'cursor',
    'all',
    'open',
    'mine',
    'kind',
    'type',
    'actor',
    'subject',
    'account',
    'scope',
    'state',
    'status',
    'risk',
    'used',
    'box',
    'q',
    'held',
  ]
  const former = ['after', 'before', 'principal']
  const lists: string[] = []
  for (const [key, { answer, query }] of Object.entries(contracts)) {
    const schema = answer[200] as { properties?: Record<string, { type?: unknown }> } | undefined
    const members = Object.entries(schema?.properties ?? {})
    if (!key.startsWith('GET ') || !members.some(([, { type }]) => type === 'array') || whole.includes(key)) continue
    lists.push(key)
    const names = members.map(([name]) => name)
    t.same(names.slice(0, 4), ['items', 'next', 'total', 'capped'], key)
    const asked = Object.keys((query as { properties?: object } | undefined)?.properties ?? {})
    t.ok(asked.includes('limit') && asked.includes('cursor'), `${key} is paged`)
    t.same(
      asked.filter((name) => ![...filters, ...former].includes(name)),
      [],
      key,
    )
  }
  t.ok(lists.length >= 9, lists.join(', '))
})

t.test('I1: what is too much to count is called more than that', async (t) => {
  const many = Array.from({ length: 12_000 }, (_, i) => ({ id: String(i).padStart(6, '0') }))
  const inMemory = listSource(many, ({ id }) => id)
  t.match(await readPage(inMemory, { limit: 3 }), { items: { length: 3 }, next: '000002', total: 10_000, capped: true })
  let read = 0
  const { count: _, ...judged } = inMemory
  const oneInThousand = {
    ...judged,
    read: async (cursor: string | undefined, limit: number) => {
      const rows = await judged.read(cursor, limit)
      read += rows.length
      return rows
    },
    choose: async (row: { id: string }) => (row.id.endsWith('999') ? () => row : undefined),
  }
  const found = await readPage(oneInThousand, { limit: 10 })
  t.match(found, { items: { length: 4 }, total: 4, capped: true }, 'a short page, which says that there may be more')
  t.ok(read <= 8000, `${read} rows were read`)
  t.match(await readPage(oneInThousand, { limit: 10, cursor: found.next ?? '' }), {
    items: { length: 4 },
    next: '007999',
  })

  const broker = await startFakeBroker(t)
  const grant = { id: newId('grt'), principal: { name: 'alice' }, endsAt: 0 }
  broker.routes.set('GET /api/v1/grants', () => {
    return { status: 200, body: { items: Array(5).fill(grant), next: grant.id, total: 10_000, capped: true } }
  })
  const ran = await openTerminal(t, null, { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: 'x' }).run(
    'grants',
    '--limit',
    '5',
    '--json',
  )
  t.match(ran, { code: 0, stderr: /^showing 5 of more than 10,000; / })
})

t.test('I1: times are a length, a date or a time; nonsense is a usage error', async (t) => {
  const { moment } = await import('../../src/cli/lists.ts')
  t.equal(moment('2026-11-24'), Date.UTC(2026, 10, 24))
  for (const same of ['2026-11-24T09:30', '2026-11-24 09:30', '2026-11-24T10:30:00+01:00', '2026-11-24T09:30:00.000Z'])
    t.equal(moment(same), Date.UTC(2026, 10, 24, 9, 30), same)
  t.ok(Math.abs(Date.now() - 90 * 60_000 - moment('90m')) < 5000)
  for (const wrong of ['yesterday', '2026-13-01', '2026-11-24T9', '24', '', '-1h']) t.throws(() => moment(wrong), wrong)
})
