import type { Principal } from './principal.ts'

/**
 * What people are called, and found by. Only an e-mail that the provider verified looks like one: anything else that a person
 * may choose at the provider could name another.
 */

/** By which e-mails are compared and looked up, wherever one is written. */
export function emailKey(email: string): string {
  return email.trim().toLowerCase()
}

export function isSameEmail(one: string | null, other: string): boolean {
  return one !== null && emailKey(one) === emailKey(other)
}

/** `@`, and what looks like it. */
const at = /[@\uFE6B\uFF20]/gu

export function looksLikeEmail(reference: string): boolean {
  return reference.search(at) >= 0
}

/** @param claims `email`: verified, and nobody else's */
export function shownName(claims: {
  readonly email: string | null
  readonly username: string | null
  readonly name: string | null
  readonly subject: string
}): string {
  if (claims.email !== null) return claims.email
  const plain = [claims.username, claims.name].find((name) => name !== null && !looksLikeEmail(name))
  return plain ?? claims.subject.replace(at, ' at ')
}

/** Whether a person means this very principal, which is themselves. */
export function isReferenceTo(principal: Pick<Principal, 'id' | 'name' | 'email'>, reference: string): boolean {
  return [principal.id, principal.name].includes(reference) || isSameEmail(principal.email, reference)
}
