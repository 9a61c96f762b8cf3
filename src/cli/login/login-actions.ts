import { resolve } from 'node:path'
import { printable } from '../../../proxy/printable.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { createApiClient } from '../api/api-client.ts'
import { when } from '../output.ts'
import { currentLogin, forgetLogin, keepLogin, trust } from './login-store.ts'
import { signInByBrowser, signInByDevice } from './sign-in.ts'

export interface LoginAsk {
  readonly server?: string | undefined
  readonly device?: boolean
  readonly browser: boolean
  readonly fresh?: boolean
  readonly ca?: string
}

/** Signs in and stores the login. A previous login stays valid until it expires, so that open connections continue. */
export async function login(ask: LoginAsk): Promise<void> {
  const { env } = process
  const { server, login: before } = await currentLogin(ask, env)
  const ca = ask.ca === undefined ? (before?.ca ?? null) : resolve(ask.ca)
  await trust(ca)
  const signIn = ask.device ? signInByDevice : signInByBrowser
  const say = (text: string) => void process.stderr.write(`${text}\n`)
  const { token, principal, roles, expiresAt, probed } = await signIn(server, {
    env,
    fresh: ask.fresh ?? false,
    browser: ask.browser,
    say,
  })
  await keepLogin(server, { token, name: principal.name, ca }, env)
  process.stdout.write(
    `signed in to ${server} as ${printable(principal.name)} (${roles.join(', ')}), ${until(expiresAt)}\n`,
  )
  if (probed === false) say(unprobed)
}

const unprobed =
  'the identity provider issued no refresh token, so this login cannot be checked until it ends; sign out when you are done'

function until(expiresAt: number): string {
  return `until ${when(expiresAt)}`
}

/** Ends the login at the broker, then forgets it. A login that has ended already is only forgotten. */
export async function logout(options: { server?: string }): Promise<void> {
  const { env } = process
  const { server, login: kept } = await currentLogin(options, env)
  if (!kept) {
    process.stdout.write(`not signed in to ${server}\n`)
    return
  }
  await trust(kept.ca)
  try {
    await createApiClient(server, kept.token).call('POST /api/v1/logout')
  } catch (error) {
    const isOver = error instanceof BrokerError && (error.code === 'LOGIN_REQUIRED' || error.code === 'TOKEN_INVALID')
    if (!isOver) throw error
  }
  await forgetLogin(server, env)
  process.stdout.write(`signed out of ${server}\n`)
}
