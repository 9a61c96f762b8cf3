/** An account of the organization. */
export interface AccountSeen {
  /** 12 digits. */
  readonly id: string
  readonly arn: string
  readonly name: string
  readonly email: string
  readonly state: AccountState
  /** Epoch milliseconds; 0 where AWS says nothing. */
  readonly joinedAt: number
  /** The unit or root that holds it: `ou-…` or `r-…`. */
  readonly parent: string
  readonly tags: Tags
}

/** An organizational unit. */
export interface UnitSeen {
  /** `ou-…` */
  readonly id: string
  readonly arn: string
  readonly name: string
  /** The unit or root that holds it: `ou-…` or `r-…`. */
  readonly parent: string
  readonly tags: Tags
}

/** All of an organization: every parent that is named is a unit of it or its root. Sorted by id. */
export interface OrganizationPicture {
  /** `o-…` */
  readonly id: string
  /** 12 digits. */
  readonly managementAccount: string
  /** `r-…` */
  readonly root: string
  readonly accounts: readonly AccountSeen[]
  readonly units: readonly UnitSeen[]
}

export type Tags = Readonly<Record<string, string>>

export const accountStates = ['PENDING_ACTIVATION', 'ACTIVE', 'SUSPENDED', 'PENDING_CLOSURE', 'CLOSED'] as const
export type AccountState = (typeof accountStates)[number]
