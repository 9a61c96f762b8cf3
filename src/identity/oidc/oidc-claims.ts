import { BrokerError } from '../../../proxy/session.ts'
import type { Vouched } from '../logins/logins.ts'

/** Names of the claims that differ between providers; `oidc.groups_claim` and `oidc.manager_claim`. */
export interface ClaimNames {
  readonly groupsClaim: string
  readonly managerClaim: string
}

/** Claims of an ID token or of the userinfo endpoint, whose signature or transport has been checked. */
export type ProviderClaims = Readonly<Record<string, unknown>>

const mostGroups = 2000
const longest = { subject: 255, text: 512, group: 256 } // OpenID Connect Core 1.0, section 2, for `sub`

/** Whether the ID token leaves open what the userinfo endpoint may say. */
export function needsUserinfo(claims: ProviderClaims, names: ClaimNames): boolean {
  return claims[names.groupsClaim] === undefined || claims.email === undefined
}

/**
 * Reads the claims that Sallyport knows; each from the ID token, else from userinfo. An e-mail and whether it is verified
 * are taken from one place, so that a verified flag never adorns an address it wasn't said of.
 * @throws BrokerError LOGIN_FAILED when the subject or the groups can't be kept as they are
 */
export function readClaims(
  idToken: ProviderClaims,
  userinfo: ProviderClaims,
  names: ClaimNames,
): Pick<Vouched, 'subject' | 'claims'> {
  const pick = (name: string) => idToken[name] ?? userinfo[name]
  const emailSource = idToken.email === undefined ? userinfo : idToken
  const subject = text(pick('sub'), longest.subject)
  if (subject === null) throw new BrokerError('LOGIN_FAILED', 'the identity provider sent no usable subject')
  const email = text(emailSource.email, longest.text)
  return {
    subject,
    claims: {
      email,
      emailVerified: email !== null && isTrue(emailSource.email_verified),
      name: text(pick('name'), longest.text),
      username: text(pick('preferred_username'), longest.text),
      groups: readGroups(pick(names.groupsClaim), names.groupsClaim),
      manager: text(pick(names.managerClaim), longest.text),
    },
  }
}

/** A list of names, or one name. Anything else is refused rather than guessed: groups decide who may do what. */
function readGroups(value: unknown, claim: string): readonly string[] {
  const list = value === undefined || value === null ? [] : [value].flat()
  if (list.length > mostGroups)
    throw new BrokerError('LOGIN_FAILED', `the claim ${claim} lists more than ${mostGroups} groups`)
  const groups = list.map((group) => {
    const name = text(group, longest.group)
    if (name === null)
      throw new BrokerError('LOGIN_FAILED', `the claim ${claim} must list names of 1–${longest.group} characters`)
    return name
  })
  return [...new Set(groups)]
}

function text(value: unknown, most: number): string | null {
  return typeof value === 'string' && value.length > 0 && value.length <= most ? value : null
}

/** Amazon Cognito writes the flag as text. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}
