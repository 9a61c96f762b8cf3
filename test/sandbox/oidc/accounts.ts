/** People of the sandbox. Their password is the same for all, and printed on the sign-in page. */
export interface Account {
  readonly sub: string
  readonly name: string
  readonly title: string
  readonly email: string
  readonly manager: string
  groups: readonly string[]
  disabled: boolean
  /** Beside those of its own. */
  claims: Readonly<Record<string, unknown>>
}

export const password = 'sandbox'
export const accountNames = ['alice', 'bob', 'carol', 'dave'] as const
export type AccountName = (typeof accountNames)[number]

export function createAccounts(): Map<string, Account> {
  const person = (sub: AccountName, title: string, groups: string[], manager: string): [string, Account] => [
    sub,
    {
      sub,
      name: `${sub.charAt(0).toUpperCase()}${sub.slice(1)}`,
      title,
      email: emailOf(sub),
      manager,
      groups,
      disabled: false,
      claims: {},
    },
  ]
  return new Map([
    person('alice', 'engineer', ['engineering'], emailOf('bob')),
    person('bob', 'database owner', ['engineering', 'database-owners'], emailOf('dave')),
    person('carol', 'auditor', ['security'], emailOf('dave')),
    person('dave', 'admin', ['platform'], emailOf('carol')),
  ])
}

export const emailOf = (name: AccountName) => `${name}@example.com`

/** All claims are in the ID token, whatever scope was asked for, as most providers are set up. */
export function claimsOf(account: Account): Record<string, unknown> {
  const { sub, name, email, manager, groups } = account
  return {
    sub,
    name,
    preferred_username: sub,
    email,
    email_verified: true,
    groups: [...groups],
    manager,
    ...account.claims,
  }
}
