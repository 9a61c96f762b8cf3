/** 200,000 resources in the catalog of a daemon's parts, on a real store, in real time: changes that events hint at, and pages. */
import type { Test } from 'tap'
import type { Resource } from '../../../src/catalog/resource.ts'
import type { Discovery } from '../../../src/inventory/discovery.ts'
import { iamRole } from '../../../src/kinds/iam-role/kind.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { repeat } from '../../../src/telemetry/repeat.ts'
import { allKinds, isOn, openInventory } from '../../src/inventory/inventory-setup.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { percentile } from '../rows.ts'
import { accounts } from './estate.ts'

const perAccount = 200
const latencyMs = 150
const perSecond = 100
const seconds = 10
const pages = 50

export async function measureCatalog() {
  const closing: (() => unknown)[] = []
  const t = { teardown: (close: () => unknown) => void closing.push(close) } as Pick<Test, 'teardown'> as Test
  try {
    return await measure(t)
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function measure(t: Test) {
  const tags = new Map<string, Resource['tags']>()
  const made = (account: string, i: number): Resource => {
    const [name, kind] = [`role-${i}`, 'iam-role']
    const id = `${kind}/${account}/${name}`
    const of = { kind, partition: 'aws', organization: null, account, region: null, name, attributes: {} }
    return { id, ...of, tags: tags.get(id) ?? { env: 'prod' }, source: 'discovery' }
  }
  const discovery: Discovery = {
    ...{ name: 'iam-role', per: 'account', service: 'iam' },
    read: async ({ account }) => Array.from({ length: perAccount }, (_, i) => made(account, i)),
    readOne: async ({ account }, id) => {
      await quietFor(latencyMs, 'AWS takes its time')
      return made(account, Number(id.slice(id.lastIndexOf('-') + 1)))
    },
  }
  const known = accounts.map((account) => ({ account, partition: 'aws', isActive: true }))
  const rules = { inventory: { ...isOn, organization: false, import: 'all' as const } }
  const options = { kinds: [...allKinds, iamRole], rules, isRealTime: true }
  const { access, background, login, sync } = await openInventory(t, options, {
    discoveries: [discovery],
    accounts: () => known,
  })
  sync.use(rules.inventory)
  await sync.run(new AbortController().signal)
  await background.idle()
  const stop = repeat('sync', 1000, (signal) => sync.run(signal), createLogger({ level: 'silent' }))
  t.teardown(stop)
  await waitUntil(() => sync.units !== undefined, 'it runs', 5000)
  const late = await measureEvents()
  return [
    {
      name: `catalog: an event until it is in it, p99 at ${perSecond} a second`,
      unit: 'ms',
      value: percentile(late, 0.99),
      most: 5000,
    },
    { name: 'catalog: a page for an auditor, p99', unit: 'ms', value: await pageMs('carol', ['auditor']), most: 100 },
    { name: 'catalog: a page for a person, p99', unit: 'ms', value: await pageMs('alice', []), most: 100 },
  ]

  async function measureEvents(): Promise<number[]> {
    const times: number[] = []
    const under: Promise<void>[] = []
    for (let i = 0; i < perSecond * seconds; i += 1) {
      const account = accounts[(i * 7919) % accounts.length] ?? ''
      const { id } = made(account, i % perAccount)
      const value = String(i)
      tags.set(id, { change: value })
      const from = performance.now()
      const done = async () => {
        await sync.hint({ discovery: 'iam-role', account, region: null, resourceId: id })
        await waitUntil(() => access.resource(id)?.tags.change === value, 'it is in the catalog', 20_000, 5)
        times.push(performance.now() - from)
      }
      under.push(done())
      await quietFor(1000 / perSecond, 'events come one after the other')
    }
    await Promise.all(under)
    return times
  }

  async function pageMs(name: string, roles: readonly 'auditor'[]): Promise<number> {
    const who = login(name, { roles: [...roles] })
    const times: number[] = []
    let cursor: string | undefined
    for (let i = 0; i < pages; i += 1) {
      const from = performance.now()
      const { next } = await access.resources(who, { limit: 100, ...(cursor === undefined ? {} : { cursor }) })
      times.push(performance.now() - from)
      cursor = next ?? undefined
    }
    return percentile(times, 0.99)
  }
}
