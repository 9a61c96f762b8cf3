import {
  type EntryText,
  executeMembers,
  queryMembers,
  statementMembers,
  usualEntry,
} from '../../recording/usual-entry.ts'
import type { Names, Statement } from './names.ts'
import type { ClientRequest, Pending } from './pending.ts'

/** @returns undefined: the entry says more than usual */
export function toUsualEntry(pending: Pending, names: Names, seconds: number): EntryText | undefined {
  if (!isUsual(pending)) return undefined
  const { request } = pending
  const said = request.kind === 'query' ? queryMembers(request.sql) : executed(request, names)
  return said && usualEntry(pending.at, said, pending, seconds)
}

function isUsual({ number, error, copyIn, copyOut, tags }: Pending): boolean {
  return number === 0 && error === undefined && copyIn === undefined && copyOut === undefined && tags.length === 1
}

function executed(request: ClientRequest, names: Names): EntryText | undefined {
  if (request.kind !== 'execute' || request.portal !== '') return undefined
  const portal = names.portal('')
  if (!portal || portal.cut || !portal.statement) return undefined
  const members = statementMembers(portal.statement, nameOf)
  return members && executeMembers(members, portal.values)
}

const nameOf = ({ name }: Statement): string | undefined => shownName(name)

const longestName = 256

/** A name as it is recorded. */
export function shownName(name: string): string | undefined {
  if (name === '') return undefined
  return Buffer.from(name, 'latin1').toString('utf8').slice(0, longestName)
}
