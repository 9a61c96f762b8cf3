import type { EndReason } from '../../../proxy/session.ts'

/** A close reason in words, for the owner of the session. */
export function describeEnd(reason: string): string {
  return Object.hasOwn(endings, reason) ? endings[reason as EndReason] : 'the broker ended it'
}

const endings: Record<EndReason, string> = {
  'client-closed': 'the client closed it',
  'upstream-closed': 'the database closed it',
  'grant-expired': 'access expired',
  'grant-revoked': 'access was revoked',
  'grant-returned': 'access was returned',
  'rule-changed': 'the rule that allowed it has changed',
  'principal-locked': 'your identity was locked',
  'principal-inactive': 'your identity is no longer active',
  'login-ended': 'your sign-in ended',
  'token-revoked': 'the token was revoked',
  'resource-gone': 'the resource was removed',
  'resource-replaced': 'the resource is another one now',
  killed: 'an administrator ended the session',
  'limit-reached': 'it reached a limit of its access level',
  'budget-used': 'it used up the budget of its access level',
  idle: 'the session was idle for too long',
  drain: 'the broker is shutting down; connect again',
  'protocol-error': 'the client violated the protocol',
  'open-failed': 'the session could not be opened',
  'upstream-failed': 'the connection to the database failed',
  'recording-failed': 'the recording could not be written',
  'store-lost': 'the broker lost the connection to its store',
  'daemon-lost': 'the broker stopped unexpectedly',
}

const grantEndings: readonly string[] = [
  'grant-expired',
  'grant-revoked',
  'grant-returned',
  'rule-changed',
  'principal-locked',
  'principal-inactive',
  'resource-gone',
  'resource-replaced',
] satisfies EndReason[]

/** True when the reason for the cut was the grant's end, not this session's. */
export function endsGrant(reason: string): boolean {
  return grantEndings.includes(reason)
}
