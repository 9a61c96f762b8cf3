import { setTimeout } from 'node:timers/promises'
import { BrokerError } from '../../../proxy/session.ts'
import type { Core } from '../core.ts'
import { parseTagClaims, principalId, readClaims, toTagClaims } from '../directory/claims.ts'
import { retried } from '../directory/retried.ts'
import { type KeptToken, readKeptToken, writeKeptToken } from './kept-token.ts'
import { type LoginKeeper, sealPurpose } from './login-keeper.ts'
import type { LoginRow } from './login-store.ts'
import type { Prober, Refreshed } from './logins.ts'

const atOnce = 8
const deadlineMs = 30_000 // how long a round waits for one answer; an answer that comes later still counts
const retryMs = 60_000
/** How long a refresh is this daemon's alone: longer than the provider has for an answer (oidc-provider.ts) and the store to keep it. */
const leaseMs = 30_000
const askAgainMs = 250
const mostRaces = 10

/**
 * `gone`: the provider refused this very token twice, and the caller ends the login. `refused`: for the first time, so nothing follows yet.
 * `ended`: the login ended, but that says nothing about the person.
 */
type Answer = Refreshed | 'gone' | 'refused' | 'ended' | 'unavailable'

/**
 * Tries the refresh tokens that are due. An answer refreshes groups and labels; a token that is refused twice ends the
 * login, and the identity with it, unless another of its logins is still vouched for.
 * @param signal ends the round after those that are being asked about: a daemon that stops does not wait for hundreds
 */
export async function probeLogins(core: Core, logins: LoginKeeper, signal?: AbortSignal): Promise<void> {
  const { prober } = core
  if (!prober) return
  const due = await logins.store.toProbe(core.clock.now())
  // By person: two tokens of one person must not be rotated at the same time.
  const people = [...Map.groupBy(due, (row) => row.principal_id).entries()]
  const next = async (): Promise<void> => {
    for (let person = people.pop(); person && !signal?.aborted; person = people.pop()) {
      const [id, rows] = person
      await probePerson(core, logins, prober, id, rows).catch((error: unknown) =>
        core.logger.error({ err: error, principal: id }, 'could not probe the logins of a principal'),
      )
    }
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}

async function probePerson(core: Core, logins: LoginKeeper, prober: Prober, id: string, rows: LoginRow[]) {
  const gone: LoginRow[] = []
  for (const row of rows) if ((await probeOne(core, logins, prober, row)) === 'gone') gone.push(row)
  if (gone.length > 0) await endGone(core, logins, prober, { id, gone, tried: rows })
}

interface Gone {
  /** Of the person. */
  readonly id: string
  /** Logins whose tokens were refused for good. */
  readonly gone: LoginRow[]
  /** These and the others that need not be asked about again. */
  readonly tried: readonly LoginRow[]
}

/**
 * Ends logins whose tokens were refused for good. A single token may have been revoked; the person has left only when no login is
 * still vouched for. Then that is why everything of theirs ends, so it comes first.
 */
async function endGone(core: Core, logins: LoginKeeper, prober: Prober, { id, gone, tried }: Gone): Promise<void> {
  try {
    if (await isVouchedFor(core, logins, prober, { id, gone, tried })) return
    await core.mutex.run(id, () => core.directory.deactivate(id))
    for (const row of await logins.store.ofPrincipal(id))
      if (!gone.some((one) => one.id === row.id)) await logins.end(row.id, 'principal-inactive')
  } finally {
    for (const row of gone) await logins.end(row.id, 'gone') // whatever the store or the others answered
  }
}

/** Asks for the other logins; those that are gone too are added to `gone`. */
async function isVouchedFor(core: Core, logins: LoginKeeper, prober: Prober, { id, gone, tried }: Gone) {
  const wasTried = new Set(tried.map((row) => row.id))
  for (const row of await logins.store.ofPrincipal(id)) {
    if (row.refresh_token === null || wasTried.has(row.id)) continue
    const answer = await probeOne(core, logins, prober, row)
    if (answer === 'gone') gone.push(row)
    else if (answer !== 'ended') return true
  }
  const isGone = new Set(gone.map((row) => row.id))
  const left = await logins.store.ofPrincipal(id)
  return left.some((row) => wasTried.has(row.id) && !isGone.has(row.id) && row.refresh_token !== null)
}

/**
 * A fresh ID token from the provider, for targets that require one.
 * @throws BrokerError LOGIN_REQUIRED with the reason, PROVIDER_UNAVAILABLE
 */
export async function freshIdToken(core: Core, logins: LoginKeeper, loginId: string): Promise<string> {
  const required = (why: string, hint = 'run: sallyport login --fresh') =>
    new BrokerError('LOGIN_REQUIRED', `the account takes only a person’s own ID token, but ${why}`, { hint })
  if (loginId.startsWith('api_')) throw required('API tokens have none', 'sign in as a person: sallyport login')
  const row = await logins.store.byId(loginId)
  if (!row) throw required('the sign-in has ended', 'run: sallyport login, and issue connect tokens anew')
  if (!core.prober || row.refresh_token === null)
    throw required(
      'the identity provider issued no refresh token to obtain one',
      'signing in again will not help; ask an admin to check oidc.scopes (offline_access) and oidc.fresh_prompt',
    )
  const answer = await probeOne(core, logins, core.prober, row)
  if (answer === 'gone') await endGone(core, logins, core.prober, { id: row.principal_id, gone: [row], tried: [row] })
  if (answer === 'unavailable') throw new BrokerError('PROVIDER_UNAVAILABLE')
  if (answer === 'refused') throw required('the identity provider refused to renew this sign-in')
  if (answer === 'gone' || answer === 'ended') throw required('the identity provider has ended this sign-in')
  if (answer.idToken === undefined)
    throw required(
      'the identity provider returns none with a refresh',
      'ask an admin to let the provider return an ID token with a refresh, for the scope openid',
    )
  return answer.idToken
}

/**
 * One at a time for each login: a token that was rotated meanwhile is invalid, and trying it would end the login. An
 * answer after the deadline is still dealt with, and the next attempt waits for it.
 */
async function probeOne(core: Core, logins: LoginKeeper, prober: Prober, asked: LoginRow): Promise<Answer> {
  const { id } = asked
  const { promise: late, resolve } = Promise.withResolvers<'unavailable'>()
  let isLate = false
  const timer = globalThis.setTimeout(() => {
    isLate = true
    resolve('unavailable')
  }, deadlineMs)
  const probing = core.mutex.run(`probe ${id}`, () =>
    holding(core, logins, id, { isOver: () => isLate }, (row) => tryToken(core, logins, prober, row)),
  )
  const settled = probing.then(async (answer) => {
    if (!isLate || answer !== 'gone') return // who waits for it ends the login
    await endGone(core, logins, prober, { id: asked.principal_id, gone: [asked], tried: [asked] })
  })
  settled.catch((error: unknown) => {
    if (isLate) core.logger.error({ err: error, login: id }, 'could not probe a login')
  })
  try {
    return await Promise.race([probing, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Works on a login while no other daemon refreshes its token: of two that send one token, the provider may take the second for a
 * thief's. Another's is waited for.
 */
async function holding(
  core: Core,
  logins: LoginKeeper,
  id: string,
  waiting: { isOver(): boolean },
  work: (row: LoginRow) => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    const now = core.clock.now()
    const until = now + leaseMs
    const row = await logins.store.holdRefresh(id, now, until)
    if (row) {
      try {
        return await work(row)
      } finally {
        await logins.store.releaseRefresh(id, until).catch((error: unknown) => {
          core.logger.error(
            { err: error, login: id },
            'could not release a login after its refresh; it waits for the lease',
          )
        })
      }
    }
    if (waiting.isOver() || !(await logins.store.byId(id))) return 'unavailable'
    await setTimeout(askAgainMs)
  }
}

async function tryToken(core: Core, logins: LoginKeeper, prober: Prober, row: LoginRow): Promise<Answer> {
  if (row.refresh_token === null) return 'unavailable'
  const before = readKeptToken(core.keyring.unseal(sealPurpose(row.id), row.refresh_token).toString())
  const note = (kept: KeptToken, inMs: number) => keepToken(core, logins, row, kept, core.clock.now() + inMs)
  // Written before it is sent: the connection, the store or this process may fail before the answer is kept.
  if (!(await note({ ...before, inDoubt: true }, retryMs))) return 'unavailable'
  let known = before
  const answer = await prober(before.token, async (rotated) => {
    const kept = { token: rotated ?? before.token, inDoubt: false, refusedAt: null }
    await note(kept, retryMs)
    known = kept
  })
  if (answer === 'lost') return unanswered(core, row)
  if (answer === 'unavailable') {
    await note(known, retryMs)
    return unanswered(core, row)
  }
  if (answer === 'gone') return await refused(core, logins, row, before)
  if (principalId(answer.issuer, answer.subject) !== row.principal_id) {
    await logins.end(row.id, 'gone')
    return 'ended'
  }
  await note(known, core.config.probeEveryMs)
  await core.mutex.run(row.principal_id, () =>
    retried(async () => {
      const principal = await core.directory.row(row.principal_id)
      if (!principal) return
      const { groups, login_name, login_claim } = principal
      // an answer without a claim says nothing of it
      const tag_claims = toTagClaims({ ...parseTagClaims(principal.tag_claims), ...answer.claims.tagClaims })
      await core.directory.update(principal, {
        ...readClaims(answer),
        tag_claims,
        ...(answer.groupsAbsent ? { groups } : {}),
        ...(answer.loginNameAbsent ? { login_name, login_claim } : {}),
      })
    }),
  )
  return answer
}

function unanswered(core: Core, row: LoginRow): 'unavailable' {
  core.logger.warn({ login: row.id }, 'the identity provider gave no usable answer to a refresh; will try again')
  return 'unavailable'
}

/** Once may be a mistake of the provider, and a token in doubt may be one that it has replaced: neither says that the person left. */
async function refused(core: Core, logins: LoginKeeper, row: LoginRow, before: KeptToken): Promise<Answer> {
  const now = core.clock.now()
  const againMs = Math.min(retryMs, core.config.probeEveryMs)
  const refusedAt = before.refusedAt ?? now
  if (before.refusedAt === null || now - refusedAt < againMs) {
    core.logger.warn({ login: row.id }, 'the identity provider refused a refresh token; will ask once more')
    await keepToken(core, logins, row, { ...before, refusedAt }, refusedAt + againMs)
    return 'refused'
  }
  if (!before.inDoubt) return 'gone'
  await logins.end(row.id, 'gone')
  core.logger.warn(
    { login: row.id },
    'a refresh token was refused after an answer to it was lost; only its login ended',
  )
  return 'ended'
}

/** @returns whether the login is still there */
async function keepToken(core: Core, logins: LoginKeeper, row: LoginRow, kept: KeptToken, probeAt: number) {
  const refresh_token = core.keyring.seal(sealPurpose(row.id), writeKeptToken(kept))
  for (let attempt = 0; attempt < mostRaces; attempt++) {
    const newest = await logins.store.byId(row.id) // the login was used meanwhile, or ended
    if (!newest) return false
    if (await logins.store.replace(newest, { probe_at: probeAt, refresh_token })) return true
  }
  throw new Error(`login ${row.id} changes too often to keep its refresh token`)
}
