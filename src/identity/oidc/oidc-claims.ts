import { BrokerError } from '../../../proxy/session.ts'
import { isLoginName } from '../../catalog/login-name.ts'
import { claimValue } from '../../catalog/session-tags.ts'
import type { Config } from '../../config/config.ts'
import { isUsableGroup, mostGroups } from '../directory/claims.ts'
import type { Vouched } from '../logins/logins.ts'

/** What differs between providers; `oidc.groups_claim`, `oidc.groups_source`, `oidc.manager_claim` and `oidc.login_claim`. */
export type ClaimSettings = Pick<
  Config['oidc'],
  'groupsClaim' | 'groupsSource' | 'managerClaim' | 'loginClaim' | 'tagClaims'
>

/** Claims of an ID token or of the userinfo endpoint, whose signature or transport has been checked. */
export type ProviderClaims = Readonly<Record<string, unknown>>

const longest = { subject: 255, text: 512 } // OpenID Connect Core 1.0, section 2, for `sub`

/** Whether the ID token leaves open what the userinfo endpoint may say. */
export function needsUserinfo(claims: ProviderClaims, { groupsClaim, groupsSource }: ClaimSettings): boolean {
  if (groupsSource === 'userinfo' || claims.email === undefined) return true
  return groupsSource === 'any' && isAbsent(claims[groupsClaim])
}

/**
 * Reads the claims that Sallyport knows; each from the ID token, else from userinfo. An e-mail and whether it is verified
 * are taken from one place, so that a verified flag never adorns an address it wasn't said of.
 * @throws BrokerError LOGIN_FAILED when the subject can't be kept as it is
 */
export function readClaims(
  idToken: ProviderClaims,
  userinfo: ProviderClaims,
  settings: ClaimSettings,
): Pick<Vouched, 'subject' | 'claims'> & { readonly groups: GroupsRead; readonly loginName: LoginNameRead } {
  const pick = (name: string) => idToken[name] ?? userinfo[name]
  const emailSource = idToken.email === undefined ? userinfo : idToken
  const subject = text(pick('sub'), longest.subject)
  if (subject === null) throw new BrokerError('LOGIN_FAILED', 'the identity provider sent no usable subject')
  const email = text(emailSource.email, longest.text)
  const groups = readGroups(idToken, userinfo, settings)
  const loginName = readLoginName(idToken, settings)
  return {
    subject,
    groups,
    loginName,
    claims: {
      email,
      emailVerified: email !== null && isTrue(emailSource.email_verified),
      name: text(pick('name'), longest.text),
      username: text(pick('preferred_username'), longest.text),
      loginName: loginName.state === 'given' ? loginName.is : null,
      tagClaims: readTagClaims(idToken, settings),
      groups: groups.names,
      manager: text(pick(settings.managerClaim), longest.text),
    },
  }
}

/** The groups that count, and what is to be said of the others. */
export interface GroupsRead {
  readonly names: readonly string[]
  /** `absent`: the provider said nothing of groups. `overage`: it left them out because there are too many. */
  readonly state: 'listed' | 'absent' | 'overage' | 'too-many'
  /** Unusable ones, as far as they can be shown. */
  readonly dropped: readonly string[]
}

/** `unasked`: no claim is configured. */
export type LoginNameRead =
  | { readonly state: 'given'; readonly is: NonNullable<Vouched['claims']['loginName']> }
  | { readonly state: 'unasked' | 'absent' }
  | { readonly state: 'unusable'; readonly shown: string }

/** Of the ID token alone, which the provider signed; taken as it is, or not at all. */
function readLoginName(idToken: ProviderClaims, { loginClaim: claim }: ClaimSettings): LoginNameRead {
  if (claim === null) return { state: 'unasked' }
  const name = Object.hasOwn(idToken, claim) ? idToken[claim] : undefined
  if (isAbsent(name)) return { state: 'absent' }
  return isLoginName(name) ? { state: 'given', is: { claim, name } } : { state: 'unusable', shown: shown(name) }
}

/** Of the ID token alone, as they are: what a session tag cannot hold is left out. */
function readTagClaims(idToken: ProviderClaims, { tagClaims }: ClaimSettings): Readonly<Record<string, string>> {
  return Object.fromEntries(
    tagClaims.flatMap((claim) => {
      const value = Object.hasOwn(idToken, claim) ? claimValue(idToken[claim]) : undefined
      return value === undefined ? [] : [[claim, value]]
    }),
  )
}

/** A list of names, or one name. What can't be a name is dropped: a group less, and never more access. */
function readGroups(idToken: ProviderClaims, userinfo: ProviderClaims, settings: ClaimSettings): GroupsRead {
  const { groupsClaim: claim, groupsSource } = settings
  const sources = { id_token: [idToken], userinfo: [userinfo], any: [idToken, userinfo] }[groupsSource]
  const value = sources.map((source) => source[claim]).find((found) => !isAbsent(found))
  if (value === undefined) {
    const isOverage = sources.some(({ _claim_names: names }) => isObject(names) && claim in names)
    return { names: [], state: isOverage ? 'overage' : 'absent', dropped: [] }
  }
  const list: unknown[] = [value].flat()
  if (list.length > mostGroups) return { names: [], state: 'too-many', dropped: [] }
  const [names, dropped] = [new Set<string>(), new Set<string>()]
  for (const group of list) {
    if (isUsableGroup(group)) names.add(group)
    else dropped.add(shown(group))
  }
  return { names: [...names], state: 'listed', dropped: [...dropped].slice(0, mostShown) }
}

const mostShown = 20
const longestShown = 100

function shown(group: unknown): string {
  const text = JSON.stringify(group) ?? String(group)
  return text.length <= longestShown ? text : `${text.slice(0, longestShown)}… (${text.length} characters)`
}

/** Null is how some providers write that they say nothing. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function text(value: unknown, most: number): string | null {
  return typeof value === 'string' && value.length > 0 && value.length <= most ? value : null
}

/** Amazon Cognito writes the flag as text. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}
