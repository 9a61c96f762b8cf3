import { BrokerError } from '../../../proxy/session.ts'

/** Of users, groups and memberships. */
export function checkedId(id: string | undefined, operation: string): string {
  return checked(/^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$/, id, operation)
}

/** Emulators have another form between instance and set. */
export function checkedSet(arn: string | undefined, operation: string): string {
  return checked(/^arn:[\w-]+:sso:::[\w./-]+\/ps-[\w./-]+$/, arn, operation)
}

/** Ids are used in further calls and stored. */
export function checked(pattern: RegExp, id: string | undefined, operation: string): string {
  if (id !== undefined && pattern.test(id)) return id
  throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with an id that is none: ${String(id).slice(0, 100)}`)
}
