import { Type } from 'typebox'
import { listOf, paging } from './lists.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

const Account = Type.String({ pattern: '^[0-9]{12}$', description: 'Id of an account' })

const InventoryScope = object(
  {
    scope: text('What is read, such as `organization` or `iam-role`'),
    organization: nullable(text()),
    state: oneOf(
      ['waiting', 'reading', 'good', 'failed'],
      'How the last pass ended; waiting: none was made yet, or one was asked for. `reading` is shown by the daemon that reads',
    ),
    goodAt: nullable(
      instant(
        'When the last pass began that saw all of it; by other daemons than the one that reads up to an hour early',
      ),
    ),
    triedAt: nullable(instant('When the last pass began')),
    requestedAt: nullable(instant('When a pass was asked for that has not been made yet')),
    resources: count('How many are known'),
    missing: count('Of these, how many the last good pass did not find; the next one removes them'),
    error: nullable(text('Why the last pass counts for nothing')),
    fix: nullable(text('What to do about it')),
    progress: nullable(
      object({ phase: text(), done: count(), total: nullable(count()) }, 'Of the pass that this daemon makes'),
    ),
    units: nullable(
      object(
        {
          of: count('How many there are'),
          done: count('Read at least once'),
          reading: count('Read now; shown by the daemon that reads'),
          quiet: count('Found empty twice, and read once a day since'),
          notOnboarded: count('The broker has no role in the account'),
          disabled: count('The region is off'),
          denied: count('AWS refused the broker'),
          failed: count('The last reading counts for nothing, for another reason'),
        },
        'What is read by accounts and regions; null: it is read in one pass',
      ),
    ),
  },
  'What is read of AWS in one pass, and how that went',
)
export type InventoryScope = Shape<typeof InventoryScope>

const InventoryUnit = object(
  {
    unit: text('e.g. `iam-role/111122223333`'),
    scope: text(),
    account: nullable(text()),
    region: nullable(text()),
    state: oneOf(
      ['waiting', 'reading', 'good', 'denied', 'disabled', 'not-onboarded', 'throttled', 'failed'],
      'How the last reading ended; waiting: there was none yet; disabled: the region is off; not-onboarded: the broker has no role in the account',
    ),
    isQuiet: flag('It was empty twice, and is read once a day'),
    firstGoodAt: nullable(instant('When the first reading began that saw all of it')),
    goodAt: nullable(instant('When the last one did')),
    triedAt: nullable(instant('When the last reading began')),
    error: nullable(text('Why it counts for nothing; what is known of the unit stays')),
    fix: nullable(text('What to do about it')),
  },
  'What is read at once: one scope in one account and, mostly, one region',
)
export type InventoryUnit = Shape<typeof InventoryUnit>

const EventProbe = object({
  queue: text('URL'),
  outcome: oneOf(['ok', 'failed']),
  delayMs: nullable(Type.Integer({ minimum: 0, description: 'From its sending until the daemon that reads had it' })),
  detail: text(),
  fix: nullable(text('What to do')),
})
export type EventProbe = Shape<typeof EventProbe>

export const inventoryRoutes = {
  'GET /api/v1/inventory/scopes': {
    summary: 'What is read of AWS into the catalog, when it was, and what went wrong',
    access: 'admin',
    scope: 'admin',
    query: object({ ...paging }),
    answer: { 200: listOf('scopes', InventoryScope) },
  },
  'GET /api/v1/inventory/units': {
    summary: 'The same by accounts and regions, by the names of the units',
    access: 'admin',
    scope: 'admin',
    query: object({
      account: Type.Optional(Account),
      scope: Type.Optional(Type.String({ maxLength: 64, description: 'Only of this scope' })),
      state: Type.Optional(
        oneOf(['waiting', 'reading', 'good', 'denied', 'disabled', 'not-onboarded', 'throttled', 'failed']),
      ),
      ...paging,
    }),
    answer: { 200: listOf('units', InventoryUnit) },
  },
  'POST /api/v1/inventory/sync': {
    summary: 'Asks for a pass over all that is read of AWS, or over one account, by whichever daemon does it',
    access: 'admin',
    scope: 'admin',
    query: object({ account: Type.Optional(Account) }),
    answer: { 200: object({ scopes: list(InventoryScope, 'What is read; empty while `inventory` reads nothing') }) },
  },
  'POST /api/v1/inventory/events/probe': {
    summary: 'Sends a message through the queue of events, and waits half a minute for it',
    access: 'admin',
    scope: 'admin',
    answer: { 200: EventProbe },
  },
} as const satisfies Record<string, RouteContract>
