import { BrokerError } from '../../../proxy/session.ts'
import { isCode } from '../aws-errors.ts'

/**
 * `Conflict`: a change of the same account and permission set is under way, or what is to be made is there already. `Busy`: as many
 * changes are under way as AWS allows, or it is asked too often. `NotFound`: the permission set, the group, the person or what is to be removed
 * is not there. `Invalid`: what was asked for cannot be, or belongs to another instance.
 */
export type PushRefusal = 'AccessDenied' | 'Conflict' | 'QuotaExceeded' | 'Busy' | 'NotFound' | 'Invalid'

/** A change of Identity Center that is refused: nothing of it will come. */
export class PushRefused extends Error {
  readonly code: PushRefusal
  /** It will be refused again until a person has done something. */
  readonly isLasting: boolean
  /** What that is. */
  readonly fix: string | null
  constructor(code: PushRefusal, message: string, { fix = null, cause, isLasting }: PushRefusedOptions = {}) {
    super(message, cause === undefined ? {} : { cause })
    this.name = 'PushRefused'
    this.code = code
    this.isLasting = isLasting ?? !passing.has(code)
    this.fix = fix
  }
}

interface PushRefusedOptions {
  readonly fix?: string | null
  readonly cause?: unknown
  /** Left out: as the code mostly is. */
  readonly isLasting?: boolean
}

const passing: ReadonlySet<PushRefusal> = new Set(['Conflict', 'Busy'])
const codes = [
  ['AccessDenied', 'AccessDenied'],
  ['Conflict', 'Conflict'],
  ['ServiceQuotaExceeded', 'QuotaExceeded'],
  ['ResourceNotFound', 'NotFound'],
  ['Validation', 'Invalid'],
  ['Throttling', 'Busy'],
] as const

/**
 * What AWS refused as {@link PushRefused}; other errors, after which the change may come or not, as they are.
 * @param error as it was translated @param what was tried, e.g. `assigning the permission set`
 */
export function toPushRefused(
  error: unknown,
  what: string,
  { isManagementAccount = false, isRemoval = false }: { isManagementAccount?: boolean; isRemoval?: boolean } = {},
): unknown {
  const [, code] = codes.find(([aws]) => isCode(error, aws)) ?? []
  if (code === undefined || !(error instanceof BrokerError)) return error
  const said = (error.cause as Error).message.slice(0, 300)
  if (code === 'AccessDenied')
    return new PushRefused(code, `${what}: ${isManagementAccount ? managementText : error.message}`, {
      fix: isManagementAccount ? managementFix : (error.hint ?? null),
      cause: error,
    })
  // What is to be removed and is not there needs no one's help.
  const isGone = isRemoval && code === 'NotFound'
  return new PushRefused(code, `${what}: ${said}`, {
    fix: fixes[code] ?? null,
    cause: error,
    ...(isGone ? { isLasting: false } : {}),
  })
}

const managementText = 'AWS does not allow it in the management account'
const managementFix =
  'A delegated administrator assigns nothing in the management account: put the hub role into the management account, with what `sallyport aws policies --feature push-management` prints, or assign it there by hand.'

const fixes: Partial<Record<PushRefusal, string>> = {
  QuotaExceeded: 'Raise the quota of Identity Center that the message names, or remove what is not used.',
}

/** Why a change ended as FAILED, as far as AWS's text tells. */
export interface ChangeFailure {
  /** AWS's own words. */
  readonly reason: string
  readonly isLasting: boolean
  readonly fix: string | null
}

/** @param text AWS's FailureReason; undefined: it gave none @param isManagementAccount the change is in that account */
export function toChangeFailure(text: string | undefined, isManagementAccount: boolean): ChangeFailure {
  const reason = (text ?? 'AWS gave no reason').slice(0, 500)
  const action = /not authorized to perform: (iam:\w+)/.exec(reason)?.[1]
  if (action !== undefined)
    return { reason, isLasting: true, fix: isManagementAccount ? hubFix(action) : memberFix(action) }
  if (/quota|LimitExceeded|limit exceeded/i.test(reason))
    return {
      reason,
      isLasting: true,
      fix: 'Raise the quota of roles in the account, or delete roles that are not used.',
    }
  if (/not active|suspended/i.test(reason))
    return { reason, isLasting: true, fix: 'The account is closed or suspended.' }
  return { reason, isLasting: /status error: 4(?!29|09)\d\d|Received a 4(?!29|09)\d\d /.test(reason), fix: null }
}

/** In the management account Identity Center acts with the credentials of its caller. */
function hubFix(action: string): string {
  const why = action === 'iam:UpdateSAMLProvider' ? 'Identity Center has renewed its certificate: the' : 'The'
  return `${why} hub role needs ${action} in the management account, as \`sallyport aws policies --feature push-management\` prints.`
}

function memberFix(action: string): string {
  return `Identity Center itself may not do ${action} in the account: exempt AWSServiceRoleForSSO in the policies of the organization, and let nothing change the SAML provider AWSSSO_*_DO_NOT_DELETE.`
}
