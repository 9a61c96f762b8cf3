/** Whoever asks for access says what they want and why; all the rest of a request is the broker's to set. */

import t from 'tap'
import fc from '../fast-check.ts'
import { startCompany } from './company.ts'

interface Answer {
  readonly request: Readonly<Record<string, unknown>>
  readonly grant: unknown
}

const company = await startCompany()
t.teardown(() => company.close())

const good = { resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: 'why is order 17 late' }
const mayBeSaid = new Set(['resource', 'level', 'durationMs', 'reason', 'ticket', 'onBehalfOf', 'sameAs'])

const { request: shown } = await company.api<Answer>('alice', 'POST', '/api/v1/requests', good)
await company.api('alice', 'POST', `/api/v1/requests/${shown.id}/cancel`, {})

/** Every field that the broker shows, as it is stored, and what a forger would try. */
const derived = [
  ...Object.keys(shown),
  ...['approved', 'approvals', 'actor', 'createdBy', 'endsAt', 'grant', 'mac', 'principal', 'principalId', 'role'],
  ...['requester_id', 'beneficiary_id', 'resource_id', 'rule_name', 'rule_digest', 'level_digest', 'created_at'],
  ...['roles', 'round', 'ruleRevision', 'startsAt', 'state', 'version', 'constructor', 'toString', 'hasOwnProperty'],
].filter((field) => !mayBeSaid.has(field))

const anyValue = fc.oneof(
  fc.constantFrom<unknown>('granted', 'approved', 'prn_0', null, true, 0, 1e15, [], {}, [
    { anyOf: ['group:engineering'] },
  ]),
  fc.jsonValue({ maxDepth: 2 }),
)

async function pending(): Promise<number> {
  return (await company.api<{ requests: unknown[] }>('bob', 'GET', '/api/v1/requests')).requests.length
}

t.test('no field that the broker derives can be sent, whatever its value', async (t) => {
  t.ok(derived.length > 35, `${derived.length} fields`)
  const before = await pending()
  for (const field of derived)
    await fc.assert(
      fc.asyncProperty(anyValue, async (value) => {
        const response = await company.call('alice', 'POST', '/api/v1/requests', { ...good, [field]: value })
        const { code } = (await response.json()) as { code: string }
        return response.status === 400 && code === 'INVALID_INPUT'
      }),
      { numRuns: 4 },
    )
  const raw = `{"__proto__":{"status":"granted"},${JSON.stringify(good).slice(1)}`
  const response = await fetch(`${company.daemon.url}/api/v1/requests`, {
    method: 'POST',
    headers: { cookie: company.cookie('alice'), origin: company.daemon.url, 'content-type': 'application/json' },
    body: raw,
  })
  t.equal(response.status, 400, '__proto__')
  t.equal(await pending(), before, 'and nothing was asked')
})

t.test('what may be said is kept, and everything else is as the rules have it', async (t) => {
  const anyAsk = fc.record({
    durationMs: fc.integer({ min: 60_000, max: 8 * 3_600_000 }),
    reason: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => text.trim() !== ''),
  })
  await fc.assert(
    fc.asyncProperty(anyAsk, async (said) => {
      const askedAt = Date.now()
      const { request, grant } = await company.api<Answer>('alice', 'POST', '/api/v1/requests', { ...good, ...said })
      await company.api('alice', 'POST', `/api/v1/requests/${request.id}/cancel`, {})
      t.equal(grant, null)
      t.match(request, {
        requester: { name: 'alice@example.com' },
        beneficiary: { name: 'alice@example.com' },
        rule: 'engineers-read-prod-databases',
        status: 'pending',
        stage: 0,
        decisions: [],
        durationMs: said.durationMs,
      })
      const createdAt = Number(request.createdAt)
      return createdAt >= askedAt - 1000 && createdAt <= Date.now() + 1000
    }),
    { numRuns: 20 },
  )
})
