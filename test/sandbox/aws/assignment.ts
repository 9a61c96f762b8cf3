/** Who has a permission set in an account. */
export interface IdentityCenterAssignment {
  account: string
  /** `ps-…` */
  permissionSet: string
  type: 'USER' | 'GROUP'
  principal: string
}

/** Assignments of Identity Center, which change a while after it was asked for. */
export interface ChangingAssignments {
  assignments: IdentityCenterAssignment[]
  /** Changes that were asked for, oldest first. AWS keeps what is over for a while only. */
  changes: AssignmentChange[]
  /** How long a change is under way: until it has been seen so often, for so long by the double's clock, or until a test ends it. */
  changesTake: { polls: number } | { ms: number } | 'told'
  /** Changes that may be under way at once. */
  mostChanges: number
  /** Calls of both services in a second by the double's clock, the others are throttled; null: any number. AWS takes 20. */
  mostPerSecond: number | null
  /** When the calls of the last second came; epoch milliseconds. */
  lastCalls: number[]
  /** By account: with which reason changes fail there. */
  failures: Record<string, string>
  /** What the deletion of an assignment that is not there comes to; AWS's documents leave it open. */
  absentDeletion: 'refused' | 'failed'
  /** The certificate of Identity Center has been renewed: the next assignment in the management account updates the SAML provider there. */
  hasNewCertificate: boolean
}

export interface AssignmentChange extends IdentityCenterAssignment {
  /** A UUID. */
  requestId: string
  to: 'create' | 'delete'
  status: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED'
  failureReason: string | null
  /** Epoch milliseconds. */
  askedAt: number
  /** How often it is still seen under way. */
  pollsLeft: number
}

/** What a world without changes begins with. */
export function noChanges(): Omit<ChangingAssignments, 'assignments'> {
  return {
    changes: [],
    changesTake: { polls: 1 },
    mostChanges: 10,
    mostPerSecond: null,
    lastCalls: [],
    failures: {},
    absentDeletion: 'refused',
    hasNewCertificate: false,
  }
}
