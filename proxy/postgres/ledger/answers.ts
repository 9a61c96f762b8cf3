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

/** What settles a request, where it isn't CommandComplete, ReadyForQuery or an error. */
export const answeredBy: Readonly<Partial<Record<ClientRequest['kind'], readonly number[]>>> = {
  parse: [code('1')],
  bind: [code('2')],
  close: [code('3')],
  describe: [code('T'), code('n')],
  execute: [emptyQuery, portalSuspended],
}
