import { BrokerError } from '../../../proxy/session.ts'
import type { Core } from '../core.ts'
import { principalId, readClaims } from '../directory/claims.ts'
import { type LoginKeeper, sealPurpose } from './login-keeper.ts'
import type { LoginRow } from './login-store.ts'
import type { Prober, Vouched } from './logins.ts'

const atOnce = 8
const deadlineMs = 30_000 // a prober has a shorter one of its own: an answer that comes later is lost, and a rotated token with it
const retryMs = 60_000

type Answer = Awaited<ReturnType<Prober>>

/**
 * Tries the refresh tokens that are due. An answer refreshes groups and labels; a refusal ends the login, and the identity
 * with it, unless another of its logins is still vouched for.
 */
export async function probeLogins(core: Core, logins: LoginKeeper): Promise<void> {
  const { prober } = core
  if (!prober) return
  const due = await logins.store.toProbe(core.clock.now())
  // By person: two tokens of one person must not be rotated at the same time.
  const people = [...Map.groupBy(due, (row) => row.principal_id).entries()]
  const next = async (): Promise<void> => {
    for (let person = people.pop(); person; person = people.pop()) {
      const [id, rows] = person
      await probePerson(core, logins, prober, id, rows).catch((error: unknown) =>
        core.logger.error({ err: error, principal: id }, 'could not probe the logins of a principal'),
      )
    }
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}

async function probePerson(core: Core, logins: LoginKeeper, prober: Prober, id: string, rows: LoginRow[]) {
  let isGone = false
  for (const row of rows) if ((await probeOne(core, logins, prober, row)) === 'gone') isGone = true
  if (!isGone) return
  // A single token may have been revoked; the person has left only when no login is still vouched for.
  const due = new Set(rows.map((row) => row.id))
  for (const row of await logins.store.ofPrincipal(id)) {
    if (row.refresh_token === null || due.has(row.id)) continue
    if ((await probeOne(core, logins, prober, row)) !== 'gone') return
  }
  const left = await logins.store.ofPrincipal(id)
  if (left.some((row) => due.has(row.id) && row.refresh_token !== null)) return
  await core.mutex.run(id, () => core.directory.deactivate(id))
  for (const row of await logins.store.ofPrincipal(id)) await logins.end(row.id, 'principal-inactive')
}

/**
 * A fresh ID token from the provider, for targets that require one.
 * @throws BrokerError LOGIN_REQUIRED with the reason, PROVIDER_UNAVAILABLE
 */
export async function freshIdToken(core: Core, logins: LoginKeeper, loginId: string): Promise<string> {
  const required = (why: string) =>
    new BrokerError('LOGIN_REQUIRED', `this role needs your own ID token, but ${why}`, {
      hint: 'run: sallyport login --fresh',
    })
  const row = await logins.store.byId(loginId)
  if (!row) throw required('API tokens have none')
  if (!core.prober || row.refresh_token === null)
    throw required('the identity provider issued no refresh token to obtain one (scope offline_access)')
  const answer = await probeOne(core, logins, core.prober, row)
  if (answer === 'unavailable') throw new BrokerError('PROVIDER_UNAVAILABLE')
  if (answer === 'gone') throw required('the identity provider has ended this sign-in')
  if (answer.idToken === undefined) throw required('the identity provider returns none with a refresh')
  return answer.idToken
}

/** One at a time for each login: a token that was rotated meanwhile is invalid, and trying it would end the login. */
function probeOne(core: Core, logins: LoginKeeper, prober: Prober, { id }: LoginRow): Promise<Answer> {
  return core.mutex.run(`probe ${id}`, async () => {
    const row = await logins.store.byId(id)
    return row ? await tryToken(core, logins, prober, row) : 'unavailable'
  })
}

async function tryToken(core: Core, logins: LoginKeeper, prober: Prober, row: LoginRow): Promise<Answer> {
  if (row.refresh_token === null) return 'unavailable'
  const answer = await ask(core, prober, row, row.refresh_token)
  if (answer === 'unavailable') {
    core.logger.warn({ login: row.id }, 'the identity provider did not answer a refresh')
    await logins.store.replace(row, { probe_at: core.clock.now() + retryMs })
    return answer
  }
  if (answer === 'gone' || principalId(answer.issuer, answer.subject) !== row.principal_id) {
    await logins.end(row.id, 'gone')
    return 'gone'
  }
  await keepToken(core, logins, row, answer)
  await core.mutex.run(row.principal_id, async () => {
    const principal = await core.directory.row(row.principal_id)
    if (principal) await core.directory.update(principal, readClaims(answer))
  })
  return answer
}

/** A provider that rotates has made the old token useless, so the new one is kept before anything else. */
async function keepToken(core: Core, logins: LoginKeeper, row: LoginRow, vouched: Vouched): Promise<void> {
  const probe_at = core.clock.now() + core.config.probeEveryMs
  const rotated = vouched.refreshToken
  const change =
    rotated === null
      ? { probe_at }
      : { probe_at, refresh_token: core.keyring.seal(sealPurpose(row.id), Buffer.from(rotated)) }
  for (let attempt = 0, newest = row; attempt < 3; attempt++) {
    if (await logins.store.replace(newest, change)) return
    const again = await logins.store.byId(row.id) // the login was used meanwhile, or ended
    if (!again) return
    newest = again
  }
}

async function ask(core: Core, prober: Prober, row: LoginRow, sealed: Uint8Array): Promise<Answer> {
  const token = core.keyring.unseal(sealPurpose(row.id), sealed).toString()
  const { promise: late, resolve } = Promise.withResolvers<'unavailable'>()
  const timer = setTimeout(() => resolve('unavailable'), deadlineMs)
  try {
    return await Promise.race([prober(token), late])
  } catch (error) {
    core.logger.error({ err: error, login: row.id }, 'could not reach the identity provider')
    return 'unavailable'
  } finally {
    clearTimeout(timer)
  }
}
