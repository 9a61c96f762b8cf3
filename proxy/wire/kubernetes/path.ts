/**
 * Paths of requests, split as the Kubernetes API server splits them: decoded first, then at each slash. What two readers might read
 * differently is refused, so that the path that was judged is the one that is served. It is forwarded as it came.
 */
import { WireError } from '../wire-error.ts'

/** RFC 3986, of a path: unreserved, sub-delims, ":", "@", "/" and escapes. */
const pathCharacters = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*$/
/** Go drops a pair with ";" that has no escape, other readers split there. */
const queryCharacters = /^[!"$-:<-~]*$/

export interface RequestTarget {
  /** As it came, from its first slash on. */
  readonly path: string
  /** Without its question mark; empty: none. */
  readonly query: string
}

/** @param url of the request line, in origin form @throws WireError */
export function splitTarget(url: string): RequestTarget {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = mark < 0 ? '' : url.slice(mark + 1)
  if (!path.startsWith('/')) throw new WireError('the path does not begin with a slash')
  if (!pathCharacters.test(path)) throw new WireError('the path has a character that must be escaped')
  if (!queryCharacters.test(query)) throw new WireError('the query has a character that must be escaped')
  return { path, query }
}

/** Decoded; a slash at the end counts for nothing. @throws WireError for what is not a plain list of names */
export function splitPath(path: string): string[] {
  const inner = path.endsWith('/') ? path.slice(1, -1) : path.slice(1)
  return inner === '' && path.length <= 1 ? [] : inner.split('/').map(decodeSegment)
}

function decodeSegment(segment: string): string {
  const isEscaped = segment.includes('%')
  const name = isEscaped ? decode(segment, 'path') : segment
  if (name === '') throw new WireError('the path has an empty segment')
  if (name === '.' || name === '..') throw new WireError('the path has a segment of dots')
  // A percent sign in a name is an escape that was escaped.
  if (isEscaped && /[/\\%\p{Cc}]/u.test(name))
    throw new WireError('the path has an escaped slash, percent sign or control character')
  return name
}

/** Parameters in their order, decoded as Go decodes them. @throws WireError */
export function readQuery(query: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>()
  if (query === '') return parameters
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeParameter(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeParameter(pair.slice(equals + 1))
    const known = parameters.get(name)
    if (known) known.push(value)
    else parameters.set(name, [value])
  }
  return parameters
}

/** @throws WireError when it is there twice: readers differ in which one counts */
export function single(parameters: ReadonlyMap<string, readonly string[]>, name: string): string | undefined {
  const values = parameters.get(name) ?? []
  if (values.length > 1) throw new WireError(`the query has ${name} more than once`)
  return values[0]
}

/** As the API server reads a flag: any value but "0" and "false" is yes, also an empty one. @throws WireError */
export function flag(parameters: ReadonlyMap<string, readonly string[]>, name: string): boolean {
  const value = single(parameters, name)
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false'
}

function decodeParameter(text: string): string {
  return decode(text.replaceAll('+', ' '), 'query')
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new WireError(`the ${where} has an escape that is not UTF-8`)
  }
}
