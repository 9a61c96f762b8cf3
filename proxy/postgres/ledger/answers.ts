import type { ClientRequest } from './pending.ts'

export const code = (letter: string): number => letter.charCodeAt(0)

/** Server messages by their type byte. */
export const dataRow = code('D')
export const copyData = code('d')
export const commandComplete = code('C')
export const readyForQuery = code('Z')
export const errorResponse = code('E')
export const parameterDescription = code('t')
export const parameterStatus = code('S')
export const copyInResponse = code('G')
export const copyOutResponse = code('H')
export const emptyQuery = code('I')
export const portalSuspended = code('s')
export const functionResult = code('V')

/** Messages whose body is read: all small, except errors. */
export const collected: ReadonlySet<number> = new Set([
  commandComplete,
  readyForQuery,
  errorResponse,
  parameterDescription,
  parameterStatus,
])

const parseComplete = code('1')
const bindComplete = code('2')
const closeComplete = code('3')
const rowDescription = code('T')
const noData = code('n')

/** Whether a message settles a request, where it isn't CommandComplete, ReadyForQuery or an error. */
export function answers(type: number, kind: ClientRequest['kind']): boolean {
  switch (type) {
    case parseComplete:
      return kind === 'parse'
    case bindComplete:
      return kind === 'bind'
    case closeComplete:
      return kind === 'close'
    case rowDescription:
    case noData:
      return kind === 'describe'
    case emptyQuery:
    case portalSuspended:
      return kind === 'execute'
    default:
      return false
  }
}
