import type { Role, Scope } from '../contract/route-contract.ts'

export type { Role, Scope }

/** Who asks: a verified identity with its groups. Data only. */
export interface Principal {
  readonly id: string
  readonly kind: 'person' | 'service'
  /** Identity key: issuer + subject. E-mail is a label, used in rules only when verified and unique. */
  readonly issuer: string
  readonly subject: string
  /** What people see: e-mail if there is one, else the login name or subject. */
  readonly name: string
  /** Set only when the provider says it is verified and no other active principal has it. */
  readonly email: string | null
  readonly groups: readonly string[]
  /** E-mail or subject of the manager, as the provider gave it. */
  readonly manager: string | null
  readonly active: boolean
  /** Epoch milliseconds since when the identity is locked; null when it isn't. */
  readonly lockedAt: number | null
  /** Who answers for a service account. */
  readonly ownerId: string | null
  /** Who made a service account; null for people, and where it is not known. */
  readonly madeBy: string | null
}

/** What decides whether an identity may act, and as what. */
export type Standing = Pick<Principal, 'groups' | 'active' | 'lockedAt' | 'ownerId'>

/** Fresh from the store. */
export type ReadStanding = (id: string) => Promise<Standing | undefined>

/** An authenticated login or token. Every HTTP request and websocket has one once it is authenticated. */
export interface Login {
  /** Login or API token id. */
  readonly id: string
  readonly via: 'web' | 'cli' | 'api-token'
  readonly principal: Principal
  readonly roles: readonly Role[]
  /** A person signed in: web or CLI login, never an API token. Decisions need it. */
  readonly interactive: boolean
  /** When the person last proved who they are, epoch milliseconds. */
  readonly authenticatedAt: number
  readonly acr: string | null
  /** API tokens only. */
  readonly scopes: readonly Scope[] | null
  /** Where it may be used from; null: anywhere. */
  readonly cidr: string | null
  readonly expiresAt: number
  /** Whether the provider is asked from time to time if the person is still there; undefined for API tokens. */
  readonly probed?: boolean
}
