import type { Test } from 'tap'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import type { Door } from './company.ts'

/** What clients were told that they have, by id. */
export interface Acknowledged {
  readonly tokens: readonly string[]
  readonly sessions: readonly string[]
}

export interface SessionRow {
  readonly id: string
  readonly grantId: string
  readonly endedAt: number | null
  readonly endReason: string | null
}

/** After a `kill -9`: the log verifies, what was acknowledged is in it, and every session has ended, in the log as in the books. */
export async function checkBooks(t: Test, door: Door, acknowledged: Acknowledged): Promise<SessionRow[]> {
  await checkLog(t, door)
  const issued = new Set(await subjects(door, 'connect-token.issued', 'token'))
  t.same(missing(acknowledged.tokens, issued), [], `${acknowledged.tokens.length} tokens that a client was given`)
  const started = new Set(await subjects(door, 'session.started', 'session'))
  t.same(missing(acknowledged.sessions, started), [], `${acknowledged.sessions.length} sessions that a client had`)
  const ended = await subjects(door, 'session.ended', 'session')
  t.same(missing([...started], new Set(ended)), [], 'every session that started has ended')
  t.equal(ended.length, new Set(ended).size, 'once')
  const sessions = await listAll<SessionRow>(door, 'carol', '/api/v1/sessions?')
  t.same(
    sessions.filter(({ endedAt }) => endedAt === null),
    [],
    'none is left open',
  )
  return sessions
}

export async function checkLog(t: Test, door: Door): Promise<void> {
  const report = await door.api<{ ok: boolean; summary: string; problems: unknown[] }>(
    'carol',
    'GET',
    '/api/v1/audit/verify',
  )
  t.same(report.problems, [], report.summary)
  t.equal(report.ok, true)
}

/** The field of all events of a type, newest first. */
export async function subjects(door: Door, type: string, field: string): Promise<unknown[]> {
  const events = await listAll<{ fields: Record<string, unknown> }>(door, 'carol', `/api/v1/audit/events?type=${type}&`)
  return events.map(({ fields }) => fields[field])
}

/** All pages of a list. @param path with its query, up to where more can follow */
export async function listAll<Item>(door: Door, person: AccountName, path: string): Promise<Item[]> {
  const found: Item[] = []
  let cursor = ''
  do {
    const page = await door.api<{ items: Item[]; next: string | null }>(person, 'GET', `${path}limit=1000${cursor}`)
    found.push(...page.items)
    cursor = page.next === null ? '' : `&cursor=${encodeURIComponent(page.next)}`
  } while (cursor !== '')
  return found
}

/** A person may have 500 at once, which is less than fifty rounds give on a fast machine. */
export async function revokeTokens(door: Door): Promise<void> {
  const tokens = await listAll<{ id: string }>(door, 'alice', '/api/v1/connect-tokens?')
  for (const { id } of tokens) await door.api('alice', 'DELETE', `/api/v1/connect-tokens/${id}`)
}

function missing(wanted: readonly unknown[], found: ReadonlySet<unknown>): unknown[] {
  return wanted.filter((one) => !found.has(one))
}

/** The session that was opened last, of those that are open; empty: there is none. */
export async function newestSession(door: Door): Promise<string> {
  const path = '/api/v1/sessions'
  const { sessions } = await door.api<{ sessions: { id: string; openedAt: number }[] }>('carol', 'GET', path)
  return sessions.sort((a, b) => b.openedAt - a.openedAt)[0]?.id ?? ''
}
