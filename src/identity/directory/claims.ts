import { createHash } from 'node:crypto'
import { BrokerError } from '../../../proxy/session.ts'
import { sortedJson } from '../../audit/canonical.ts'
import { encodeBase32 } from '../../store/ids.ts'
import type { Vouched } from '../logins/logins.ts'
import { emailKey } from '../names.ts'
import type { Row, Unsigned } from '../signed-rows.ts'

/** A provider's claims about a person, in the form of the directory. */
export type Claims = Pick<
  Row<'principals'>,
  | 'username'
  | 'display_name'
  | 'email'
  | 'email_key'
  | 'email_verified'
  | 'groups'
  | 'manager'
  | 'login_name'
  | 'login_claim'
  | 'tag_claims'
>

type PrincipalRow = Unsigned<'principals'>

/** More are refused where they come in, never cut off. */
export const mostGroups = 2000
const longestGroup = 256
const longestName = 128
const longestEmail = 320

/** The same person always has the same id, also when the row was lost. */
export function principalId(issuer: string, subject: string): string {
  if (issuer === '' || !isUsableSubject(subject))
    throw new BrokerError('LOGIN_FAILED', 'the identity provider sent no usable subject')
  const digest = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest()
  return `prn_${encodeBase32(digest.subarray(0, 16))}`
}

export function isUsableSubject(subject: string): boolean {
  return subject !== '' && subject.length <= 255
}

/** What is too long or malformed is left out: a label less, and never more access. */
export function readClaims({ claims }: Pick<Vouched, 'claims'>): Claims {
  const email = readEmail(claims.email)
  return {
    username: readLabel(claims.username, longestName),
    display_name: readLabel(claims.name, longestName),
    email,
    email_key: email === null ? null : emailKey(email),
    email_verified: email !== null && claims.emailVerified === true ? 1 : 0,
    groups: JSON.stringify(readGroups(claims.groups).filter((group) => !isCenterGroup(group))),
    manager: readLabel(claims.manager, longestEmail),
    login_name: claims.loginName?.name ?? null,
    login_claim: claims.loginName?.claim ?? null,
    tag_claims: toTagClaims(claims.tagClaims ?? {}),
  }
}

/** Before the names of groups of Identity Center, whose members the broker reads itself. */
export const centerPrefix = 'idc:'

/** What a provider sends under such a name is no such group. */
export function isCenterGroup(group: string): boolean {
  return group.startsWith(centerPrefix)
}

export function readGroups(groups: readonly string[]): string[] {
  return [...new Set(groups.filter(isUsableGroup))].sort()
}

export function isUsableGroup(group: unknown): group is string {
  return typeof group === 'string' && group !== '' && group.length <= longestGroup && isPrintable(group)
}

function readEmail(email: string | null): string | null {
  const label = readLabel(email, longestEmail)
  return label !== null && /^[^\s@]+@[^\s@]+$/.test(label) ? label : null
}

function readLabel(text: string | null, longest: number): string | null {
  const trimmed = text?.trim() ?? ''
  return trimmed === '' || trimmed.length > longest || !isPrintable(trimmed) ? null : trimmed
}

/** No control characters, and nothing that changes the order of letters on a screen. */
function isPrintable(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)
}

/** Columns that rules look at. */
const telling = [
  'email_key',
  'email_verified',
  'groups',
  'manager',
  'login_name',
  'login_claim',
  'tag_claims',
  'active',
] as const

export function isSameToRules(a: PrincipalRow, b: PrincipalRow): boolean {
  return telling.every((column) => a[column] === b[column])
}

/** What the new claims keep of the old row: groups in both, unchanged labels. */
export function narrowTo(row: PrincipalRow, claims: Claims): PrincipalRow {
  const kept = new Set(parseGroups(claims.groups))
  const isSameEmail = row.email_key === claims.email_key && row.email_verified <= claims.email_verified
  return {
    ...row,
    groups: JSON.stringify(parseGroups(row.groups).filter((group) => kept.has(group))),
    manager: row.manager === claims.manager ? row.manager : null,
    ...(isSameLoginName(row, claims) ? {} : { login_name: null, login_claim: null }),
    ...(row.tag_claims === claims.tag_claims ? {} : { tag_claims: null }),
    ...(isSameEmail ? {} : { email: null, email_key: null, email_verified: 0 }),
  }
}

export function isSameLoginName(a: LoginNameRow, b: LoginNameRow): boolean {
  return a.login_name === b.login_name && a.login_claim === b.login_claim
}

type LoginNameRow = Pick<PrincipalRow, 'login_name' | 'login_claim'>

/** @returns null for none, as rows have it that were written before there were any */
export function toTagClaims(claims: Readonly<Record<string, string>>): string | null {
  return Object.keys(claims).length === 0 ? null : sortedJson(claims)
}

export function parseTagClaims(json: string | null): Readonly<Record<string, string>> {
  return json === null ? {} : (JSON.parse(json) as Record<string, string>)
}

export function parseGroups(json: string): string[] {
  return JSON.parse(json) as string[]
}
