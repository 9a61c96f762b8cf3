import { BlockList, isIPv4 } from 'node:net'
import { matchesArn, matchesWildcard } from './wildcard.ts'

/**
 * Condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators"). A base operator may carry
 * `IfExists`, and `ForAnyValue:` or `ForAllValues:` before it. Left out: Binary*.
 */
type Compare = (expected: string, actual: string) => boolean

const number =
  (compare: (a: number, b: number) => boolean): Compare =>
  (e, a) =>
    compare(Number(a), Number(e))
const date =
  (compare: (a: number, b: number) => boolean): Compare =>
  (e, a) =>
    compare(instant(a), instant(e))

const positive: Readonly<Record<string, Compare>> = {
  StringEquals: (e, a) => e === a,
  StringEqualsIgnoreCase: (e, a) => e.toLowerCase() === a.toLowerCase(),
  StringLike: matchesWildcard,
  ArnEquals: matchesArn,
  ArnLike: matchesArn,
  Bool: (e, a) => e.toLowerCase() === a.toLowerCase(),
  NumericEquals: number((a, e) => a === e),
  NumericLessThan: number((a, e) => a < e),
  NumericLessThanEquals: number((a, e) => a <= e),
  NumericGreaterThan: number((a, e) => a > e),
  NumericGreaterThanEquals: number((a, e) => a >= e),
  DateEquals: date((a, e) => a === e),
  DateLessThan: date((a, e) => a < e),
  DateLessThanEquals: date((a, e) => a <= e),
  DateGreaterThan: date((a, e) => a > e),
  DateGreaterThanEquals: date((a, e) => a >= e),
  IpAddress: inNetwork,
}

const negative: Readonly<Record<string, Compare>> = {
  StringNotEquals: (e, a) => e === a,
  StringNotEqualsIgnoreCase: (e, a) => e.toLowerCase() === a.toLowerCase(),
  StringNotLike: matchesWildcard,
  ArnNotEquals: matchesArn,
  ArnNotLike: matchesArn,
  NumericNotEquals: number((a, e) => a === e),
  DateNotEquals: date((a, e) => a === e),
  NotIpAddress: inNetwork,
}

const shape = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/

export function isOperator(operator: string): boolean {
  const name = shape.exec(operator)?.[2] ?? ''
  return name === 'Null' ? operator === 'Null' : name in positive || name in negative
}

/** @param actual the request's values of the key; undefined when the request has no such key */
export function holds(operator: string, expected: readonly string[], actual: readonly string[] | undefined): boolean {
  const [, set, name = '', ifExists] = shape.exec(operator) ?? []
  if (name === 'Null') return expected.includes(String(actual === undefined))
  const negated = negative[name]
  const compare = positive[name] ?? negated
  if (!compare) throw new Error(`unknown operator ${operator}`)
  const holdsFor = (value: string) => expected.some((one) => compare(one, value)) !== Boolean(negated)
  if (set === 'ForAllValues') return (actual ?? []).every(holdsFor)
  if (actual === undefined || actual.length === 0) return ifExists !== undefined || (negated !== undefined && !set)
  return set === 'ForAnyValue' ? actual.some(holdsFor) : actual.every(holdsFor)
}

/** ISO 8601, or seconds since the epoch. */
function instant(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text)
}

function inNetwork(network: string, address: string): boolean {
  const [base = '', bits] = network.split('/')
  const family = isIPv4(base) ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  if (bits === undefined) list.addAddress(base, family)
  else list.addSubnet(base, Number(bits), family)
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}
