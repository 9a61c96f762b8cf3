import {
  type EntryText,
  executeMembers,
  queryMembers,
  statementMembers,
  usualEntry,
} from '../../recording/usual-entry.ts'
import type { Pending, Request } from './pending.ts'
import type { Prepared } from './prepared.ts'

/** @returns undefined: the entry says more than usual */
export function toUsualEntry(pending: Pending, seconds: number): EntryText | undefined {
  if (!isUsual(pending)) return undefined
  const { request } = pending
  const said = request.kind === 'query' ? queryMembers(request.sql) : executed(request)
  return said && usualEntry(pending.at, said, pending, seconds)
}

function isUsual({ number, error, copyIn, database, tags }: Pending): boolean {
  return number === 0 && error === undefined && copyIn === undefined && database === undefined && tags.length === 1
}

function executed(request: Request): EntryText | undefined {
  if (request.kind !== 'execute' || request.cut) return undefined
  const { bound } = request
  if (!bound.statement || bound.unread) return undefined
  const members = statementMembers(bound.statement, nameOf)
  return members && executeMembers(members, bound.record() ?? none)
}

const none: readonly never[] = []
const nameOf = ({ id }: Prepared): string => String(id)
