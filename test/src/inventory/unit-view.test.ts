/** How the units of reading are seen on a daemon, whether it leads or not. */
import t from 'tap'
import type { Discovery } from '../../../src/inventory/discovery.ts'
import { neverRead } from '../../../src/inventory/engine/unit.ts'
import { createUnitView } from '../../../src/inventory/unit-view.ts'

const organization: Discovery = {
  name: 'organization',
  per: 'organization',
  service: 'organizations',
  read: async () => [],
}

t.test('what was switched on a moment ago is there, before the daemon that leads has begun with it', async (t) => {
  const seen = { name: 'organization', discovery: 'organization', account: null, region: null, record: neverRead }
  for (const units of [[], undefined]) {
    const view = createUnitView({
      store: { scopes: async () => [] },
      accountStore: { all: async () => [] },
      sync: { discoveries: [organization], units },
      clock: { now: () => 0 },
      regionsInUse: [],
    })
    t.same(await view(), [seen], units ? 'it leads' : 'another one leads')
  }
})
