/** What sessions are told of the end of what opened them, at whichever daemon. @param by a name; undefined where it was erased */

export function loginEnded(why: unknown) {
  return { reason: 'login-ended', text: `the sign-in ended: ${why}` } as const
}

export function tokenRevoked(what: 'API token' | 'connect token', by: string | undefined) {
  return { reason: 'token-revoked', text: `the ${what} was revoked${byName(by)}` } as const
}

export function principalLocked(by: string | undefined, why: string | undefined) {
  return { reason: 'principal-locked', text: `the identity was locked${byName(by)}${why ? `: ${why}` : ''}` } as const
}

function byName(by: string | undefined): string {
  return by === undefined ? '' : ` by ${by}`
}
