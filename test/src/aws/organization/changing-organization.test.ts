/** An organization that changes while it is read: what comes out is whole, and right about all that stood still. */
import t from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import { readOrganization } from '../../../../src/aws/organization/read-organization.ts'
import fc from '../../../fast-check.ts'
import { signal } from '../hub-setup.ts'
import { createChangingOrganization, root } from './changing-organization.ts'

t.test('whatever changes between two pages, the picture holds together', async (t) => {
  const counts = { whole: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        units: fc.integer({ min: 0, max: 12 }),
        accounts: fc.integer({ min: 0, max: 15 }),
        likelihood: fc.constantFrom(0, 0.05, 0.3, 1),
        mostChanges: fc.integer({ min: 0, max: 40 }),
        hasPaths: fc.boolean(),
      }),
      fc.integer({ min: 1, max: 2_147_483_646 }),
      async (shape, seed) => {
        const random = sequenceOf(seed)
        const { calls, accounts, units, constant } = createChangingOrganization({ ...shape, random })
        const before = new Map(accounts)
        const picture = await readOrganization(calls, { signal }).catch((error: unknown) => {
          if (error instanceof BrokerError && /changes while it is read/.test(error.message)) return null
          throw error
        })
        if (picture === null) {
          counts.refused += 1
          return shape.mostChanges > 0
        }
        counts.whole += 1
        const parents = new Set([root, ...picture.units.map(({ id }) => id)])
        const placed = new Map(picture.accounts.map(({ id, parent }) => [id, parent]))
        return (
          [...picture.accounts, ...picture.units].every(({ parent }) => parents.has(parent)) &&
          picture.accounts.length === placed.size &&
          [...picture.accounts, ...picture.units].every(({ id, tags }) => tags.id === id) &&
          [...constant.present].every((id) => placed.has(id)) &&
          [...constant.unmoved].every((id) => placed.get(id) === before.get(id)) &&
          (shape.mostChanges > 0 || (picture.units.length === units.size && placed.size === accounts.size))
        )
      },
    ),
    { numRuns: 2000 },
  )
  t.comment(JSON.stringify(counts))
  t.ok(counts.whole > 1900, 'and it is hardly ever refused')
})

/** Evenly spread numbers from 0 to 1 (Lehmer, modulus 2^31 - 1). */
function sequenceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
