/** What IAM Identity Center holds. Each list is sorted by its first member. */
export interface IdentityCenterPicture {
  readonly instance: IdentityCenterInstance
  readonly users: readonly UserSeen[]
  readonly groups: readonly GroupSeen[]
  readonly permissionSets: readonly PermissionSetSeen[]
  readonly assignments: readonly AssignmentSeen[]
}

export interface IdentityCenterInstance {
  /** `arn:aws:sso:::instance/ssoins-…` */
  readonly arn: string
  /** `d-…` */
  readonly identityStoreId: string
  /** Its home: calls go there alone. */
  readonly region: string
  /** The management account, 12 digits. */
  readonly ownerAccount: string
}

export interface UserSeen {
  readonly id: string
  readonly userName: string
  readonly displayName: string
  /** AWS keeps one at most. */
  readonly email: string | null
  /** Null where AWS does not say. */
  readonly isEnabled: boolean | null
  /** Another provider keeps it in order, e.g. by SCIM. */
  readonly isExternal: boolean
}

export interface GroupSeen {
  readonly id: string
  readonly name: string
  readonly description: string
  /** Another provider keeps it in order: what is changed here may be undone there. */
  readonly isExternal: boolean
  /** Sorted by user. */
  readonly members: readonly MemberSeen[]
}

export interface MemberSeen {
  readonly userId: string
  /** That a removal takes. */
  readonly membershipId: string
}

export interface PermissionSetSeen {
  /** `arn:aws:sso:::permissionSet/ssoins-…/ps-…` */
  readonly arn: string
  readonly name: string
  readonly description: string
  /** How long its sessions last; null where AWS does not say in hours and minutes. */
  readonly sessionMs: number | null
  readonly details: PermissionSetDetails
  /** Ids of the accounts that have its role, sorted. */
  readonly accounts: readonly string[]
}

/** What of a permission set may be some hours old: it changes rarely, and costs five calls. */
export interface PermissionSetDetails {
  readonly tags: Readonly<Record<string, string>>
  readonly policies: PermissionSetPolicies
}

/** What a permission set allows, in every account the same. */
export interface PermissionSetPolicies {
  /** ARNs of AWS's own, sorted. */
  readonly managed: readonly string[]
  /** Path and name of policies of the owner's, which each account has for itself; sorted. */
  readonly customer: readonly string[]
  /** JSON of the policy within the set; null: none. */
  readonly inline: string | null
  /** What bounds its roles: an ARN of AWS's own, or path and name; null: nothing. */
  readonly boundary: string | null
}

/** The principal may be gone: assignments outlive who they are for. */
export interface AssignmentSeen {
  readonly account: string
  /** ARN. */
  readonly permissionSet: string
  readonly principalType: 'USER' | 'GROUP'
  readonly principalId: string
}
