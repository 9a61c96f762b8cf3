import { BrokerError } from '../../proxy/session.ts'

/** More pages than any list of AWS has. */
const mostPages = 20_000

/**
 * All items of a list. A page may be empty and still have a token: only a missing token ends the list.
 * @param operation for the error's text
 * @param ask one page, by the token of the one before as the SDK takes it
 * @throws what `ask` throws; BrokerError AWS_UNAVAILABLE where a token comes again, so that the list would never end
 */
export async function allPages<T>(
  operation: string,
  ask: (token: { NextToken?: string }) => Promise<{ items: T[] | undefined; nextToken: string | undefined }>,
): Promise<T[]> {
  const all: T[] = []
  const tokens = new Set<string>()
  for (let token: string | undefined; tokens.size < mostPages; ) {
    const { items = [], nextToken } = await ask(token === undefined ? {} : { NextToken: token })
    all.push(...items)
    if (!nextToken) return all
    if (tokens.has(nextToken)) break
    tokens.add(nextToken)
    token = nextToken
  }
  throw new BrokerError('AWS_UNAVAILABLE', `${operation}: the pages of the list do not end`)
}
