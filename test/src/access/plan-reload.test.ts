/** What `config plan` says of a configuration is what its reload does, and saying it does nothing. */
import t from 'tap'
import type { Config } from '../../../src/config/config.ts'
import { createReloadPlan } from '../../../src/daemon/reload/plan-reload.ts'
import { isOn, openInventory, production } from '../inventory/inventory-setup.ts'
import { config, hour, levels, ordersId } from './access-setup.ts'

const stage = { stages: [{ any_of: ['group:owners'] }] }
const rule = (name: string, what: object, more: object = {}) => ({
  ...{ name, who: { groups: ['engineering'] }, what, levels: ['readonly'], max_duration: '8h' },
  ...more,
})
const base = {
  inventory: isOn,
  levels: [levels({ kinds: ['rds-postgres'] }, { readonly: { user: 'ro' }, admin: { user: 'rw' } })],
  access: [
    rule('by-unit', { organizational_units: [production] }),
    rule('asked', { ids: [ordersId] }, { levels: ['admin'], approval: stage }),
  ],
}
const [byUnit, asked] = base.access

type Change = Parameters<typeof config>[0]
const cases: [string, Change, { grant: RegExp | null; request: string | null; settings?: string }][] = [
  ['nothing', {}, { grant: null, request: null }],
  [
    'the organization is switched off',
    { inventory: { ...isOn, organization: false } },
    {
      grant: /by-unit no longer covers this: the place of account/,
      request: null,
      settings: 'inventory.organization true false',
    },
  ],
  ['a rule goes', { access: [asked] }, { grant: /the rule by-unit no longer exists/, request: null }],
  ['another goes', { access: [byUnit] }, { grant: null, request: 'refused' }],
  [
    'a rule is shortened',
    { access: [{ ...byUnit, max_duration: '1h' }, asked] },
    { grant: /by-unit was shortened/, request: null },
  ],
  ['the terms change', { access: [byUnit, { ...asked, max_duration: '7h' }] }, { grant: null, request: 'voided' }],
  [
    'levels mean something else',
    { levels: [levels({ kinds: ['rds-postgres'] }, { readonly: { user: 'x' }, admin: { user: 'rw' } })] },
    { grant: /meaning of level readonly/, request: null },
  ],
  ['the resource goes', { resources: [] }, { grant: /is no longer in the catalog/, request: 'refused' }],
  [
    'how often it is read',
    { inventory: { ...isOn, everyMs: hour } },
    { grant: null, request: null, settings: 'inventory.every 15m 1h' },
  ],
  [
    'a queue of events',
    { inventory: { ...isOn, events: { queue: 'https://sqs.example.com/1/q', buckets: ['a', 'b'] } } },
    {
      ...{ grant: null, request: null },
      settings: 'inventory.events.queue not set https://sqs.example.com/1/q, inventory.events.buckets not set a, b',
    },
  ],
] as const as never

for (const [what, change, expected] of cases)
  t.test(`${what}: what is said is what happens`, async (t) => {
    const { access, audit, login, pass, published } = await openInventory(t, { rules: base as never })
    await pass()
    const { grant } = await access.request(login('alice'), {
      resource: 'orders',
      level: 'readonly',
      durationMs: 4 * hour,
    })
    const { request } = await access.request(login('alice'), { resource: 'orders', level: 'admin', durationMs: hour })
    const next = config({ ...base, ...change } as never)
    const before = { events: audit.records.length, published: published.length, digest: access.rules().digest }
    const said = await createReloadPlan({
      access,
      config: config(base as never),
      useOf: async (ids) => new Map(ids.map((id) => [id, { sessions: 3, open: 2, firstAt: 1, lastAt: 2 }])),
      load: async () => ({ ok: true, config: next, warnings: [] }) as never,
    })()
    t.same({ events: audit.records.length, published: published.length, digest: access.rules().digest }, before)
    t.equal(said.isSame, Object.keys(change ?? {}).length === 0)
    t.equal(said.grants.total, expected.grant ? 1 : 0)
    if (expected.grant) t.match(said.grants.first[0], { id: grant?.id, text: expected.grant, sessions: 2 })
    t.equal(said.requests.first[0]?.becomes ?? null, expected.request)
    t.equal(said.settings.map(({ path, from, to }) => `${path} ${from} ${to}`).join(', '), expected.settings ?? '')

    await access.reload(next as Config)
    const [ended] = published.slice(before.published).filter(({ what: subject }) => subject === 'grant')
    const planned = said.grants.first[0]
    t.equal(
      ended !== undefined && 'text' in ended ? ended.text : undefined,
      planned?.endsAt === null ? planned.text : undefined,
    )
    const { status, round } = (await access.requestById(login('alice'), request.id)) as {
      status: string
      round?: number
    }
    t.equal(status, expected.request === 'refused' ? 'refused' : 'pending', String(round))
  })

t.test('a file with problems: they are said, and nothing else', async (t) => {
  const { access } = await openInventory(t, { rules: base as never })
  const plan = (loaded: object) =>
    createReloadPlan({
      access,
      config: config(base as never),
      useOf: async () => new Map(),
      load: async () => loaded as never,
    })()
  const problem = { path: 'access[0].who', message: 'matches no one', fix: 'name groups' }
  t.match(await plan({ ok: false, problems: [problem] }), { ok: false, problems: [problem], grants: { total: 0 } })
  const broken = config({ ...base, access: [{ ...byUnit, who: {} }] } as never)
  t.match(await plan({ ok: true, config: broken, warnings: [] }), { ok: false, problems: [{ path: 'access[0].who' }] })
})
