import { sizeOf } from '../../recording/captured.ts'
import type { Request } from './pending.ts'

/** Of an entry without texts: times, tags, a short error. */
const entryBytes = 256

/** @returns bytes that the entry of a request needs, about */
export function roomOf(request: Request): number {
  return entryBytes + textSize(request)
}

function textSize(request: Request): number {
  switch (request.kind) {
    case 'query':
    case 'parse':
      return sizeOf(request.sql)
    case 'execute':
      return sizeOf(request.bound.statement?.sql) + request.bound.size
    case 'fetch':
      return sizeOf(request.statement?.sql)
    default:
      return 0
  }
}
