/** What is found of the hub, against a referee: Identity Center in its home, elsewhere and nowhere, and a clock that differs. */
import t from 'tap'
import { policiesOf } from '../../../src/aws/policies/table.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { checkHub } from '../../../src/validations/hub-checks.ts'
import { region } from '../../sandbox/default-world.ts'
import { signal } from '../aws/hub-setup.ts'
import { startIdentityCenter } from '../aws/identity-center/identity-center-setup.ts'

const home = 'us-east-1'
const named = async (
  t: Parameters<typeof startIdentityCenter>[0],
  { center, lookIn = region, aheadMs = 0 }: { center?: object; lookIn?: string; aheadMs?: number } = {},
) => {
  const { broker, metrics, clock, ...hub } = await startIdentityCenter(t, (one, world) => {
    Object.assign(one, center)
    if (center === undefined) delete world.identityCenter
  })
  const config = { ...hub.config, regions: [region, home] }
  const needs = { table: policiesOf(kinds), features: ['identity-center'], values: {}, config }
  const own = { now: () => clock.now() + aheadMs }
  const deps = { aws: broker, config, clock: own, metrics, needs, identityCenterRegion: lookIn, signal }
  const found = await checkHub(deps)
  return Object.fromEntries(found.map((one) => [one.check, one]))
}

t.test('Identity Center is looked for in its home, and elsewhere where it is not there', async (t) => {
  t.match((await named(t, { center: { region } }))['Identity Center'], { status: 'ok', detail: region })
  t.match((await named(t, { center: { region: home } }))['Identity Center'], {
    status: 'failed',
    detail: `it is in ${home}, and looked for in ${region}`,
    fix: `set inventory.identity_center.region: ${home}, and reload`,
  })
  t.match((await named(t, { center: { region: home }, lookIn: home }))['Identity Center'], { status: 'ok' })
  t.match((await named(t))['Identity Center'], { status: 'failed', detail: /no instance/, fix: /enable it/ })
})

t.test('a clock that differs is a warning from a minute on, and a failure from five', async (t) => {
  const center = { region }
  for (const [aheadMs, status, detail] of [
    [0, 'ok', /agrees/],
    [-50_000, 'ok', /behind/],
    [90_000, 'warning', /ahead of/],
    [-400_000, 'failed', /behind/],
  ] as const)
    t.match((await named(t, { center, aheadMs })).clock, { status, detail }, String(aheadMs))
})
