import { isLoginName } from '../../catalog/login-name.ts'
import type { Core } from '../core.ts'
import type { LoginName } from '../identity.ts'
import { parseTagClaims } from './claims.ts'

/**
 * The login name of a person, as the provider last vouched for it. One that it gives to two belongs to neither: nothing says whose it is.
 */
export async function loginNameOf({ config, directory, logger }: Core, id: string): Promise<LoginName> {
  const { loginClaim: claim } = config
  const row = await directory.row(id)
  if (row?.kind === 'service')
    return {
      problem: 'a service account has none: the identity provider does not know it',
      hint: 'use a level with a database user of its own',
    }
  if (claim === null)
    return {
      problem: 'no claim of the identity provider is configured for it',
      hint: 'an admin can set oidc.login_claim',
    }
  const name = row?.login_claim === claim ? row.login_name : null
  if (!row || name === null || !isLoginName(name))
    return {
      problem: `the last sign-in brought no ${claim} of 1–32 characters a–z, 0–9, _ and . in its ID token`,
      hint: 'sign in again: sallyport login --fresh; if that does not help, the identity provider must send it',
    }
  const others = await directory.othersWithLoginName(name, id)
  if (others.length === 0) return { name }
  logger.warn(
    { claim, name, principals: [id, ...others] },
    'the identity provider gives one login name to several people',
  )
  return {
    problem: `the identity provider gives ${name} to another person too, so it says of neither who they are`,
    hint: `an admin must make the claim ${claim} unique at the identity provider; the daemon’s log names the identities`,
  }
}

/** Of those that are configured now: what came by another configuration does not count. */
export async function tagClaimsOf({ config, directory }: Core, id: string): Promise<Readonly<Record<string, string>>> {
  const known = parseTagClaims((await directory.row(id))?.tag_claims ?? null)
  return Object.fromEntries(Object.entries(known).filter(([name]) => config.tagClaims.includes(name)))
}
