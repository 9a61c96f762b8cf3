/**
 * Headers of requests to the API server: a new list, of names that are known to be harmless, and the broker's own. What a client says of
 * identities, of who it is forwarded for, or of single connections never goes on.
 */
import { BrokerError } from '../session.ts'
import { type AskedUpgrade, readUpgrade, type StreamProtocols } from './upgrade.ts'

export interface OwnHeaders {
  /** Of the cluster's endpoint, with its port unless that is 443. */
  readonly host: string
  /** `Bearer …`; left out: added by who sends it. */
  readonly authorization?: string
  /** Address of the client, which the cluster logs. */
  readonly forwardedFor: string
}

/** Names and values by turns, as Node has them: `rawHeaders`. */
export type RawHeaders = readonly string[]

/** Passed on; those with `true` may come several times. */
const passed: ReadonlyMap<string, boolean> = new Map([
  ['accept', true],
  ['accept-encoding', true],
  ['accept-language', true],
  ['cache-control', true],
  ['content-encoding', false],
  ['content-length', false],
  ['content-type', false],
  ['if-match', true],
  ['if-modified-since', false],
  ['if-none-match', true],
  ['kubectl-command', false],
  ['kubectl-session', false],
  ['pragma', true],
  ['range', false],
  ['traceparent', false],
  ['tracestate', true],
  ['user-agent', false],
])

/** Read here and made anew, or dropped; never several times. */
const own = [
  'authorization',
  'host',
  'transfer-encoding',
  'upgrade',
  'expect',
  'sec-websocket-key',
  'sec-websocket-version',
]

/** What `Connection` may name: nothing that goes on anyway. */
const connectionOptions = [
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'trailers',
  'http2-settings',
  'proxy-connection',
]

/** Headers of a request with an answer. @throws BrokerError GRANT_DENIED, PROTOCOL_ERROR, UNSUPPORTED */
export function requestHeaders(raw: RawHeaders, ours: OwnHeaders): string[] {
  return [...ownHeaders(ours), ...passedHeaders(raw)]
}

/** The same without the broker's own. @throws as {@link requestHeaders} */
export function passedHeaders(raw: RawHeaders): string[] {
  const headers = read(raw)
  if (headers.has('upgrade'))
    throw new BrokerError('UNSUPPORTED', 'an upgrade is for exec, attach and port-forward alone')
  return [...copy(headers), ...body(headers)]
}

/** What a request for an upgrade says, without what is the broker's own. */
export interface UpgradeHeaders {
  readonly asked: AskedUpgrade
  /** Behind {@link ownHeaders}; names and values by turns. */
  readonly passed: readonly string[]
}

/** Headers of a request whose connection is to be upgraded. @param protocols those of the subresource @throws as {@link requestHeaders} */
export function upgradeHeaders(raw: RawHeaders, protocols: StreamProtocols): UpgradeHeaders {
  const headers = read(raw)
  const [length = '0'] = headers.get('content-length') ?? []
  // What is behind an upgrade is no body: a server that takes it for one reads another request there.
  if (headers.has('transfer-encoding') || length !== '0')
    throw new BrokerError('PROTOCOL_ERROR', 'an upgrade has no body')
  headers.delete('content-length')
  const asked = readUpgrade(headers, protocols)
  return { passed: [...copy(headers), ...asked.lines], asked }
}

/** The connect token. @throws BrokerError TOKEN_INVALID when there is none, or more than one */
export function bearerToken(raw: RawHeaders): string {
  const values = raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'authorization')
  const [value = ''] = values
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(value)?.[1]
  if (token === undefined || values.length > 1) throw new BrokerError('TOKEN_INVALID')
  return token
}

/** By name in lower case. @throws BrokerError */
function read(raw: RawHeaders): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name)) throw new BrokerError('PROTOCOL_ERROR', 'a header has no proper name')
    refuseIdentity(name)
    const known = headers.get(name)
    if (known && !(passed.get(name) ?? !own.includes(name)))
      throw new BrokerError('PROTOCOL_ERROR', `the header ${name} came more than once`)
    if (known) known.push(raw[i + 1] ?? '')
    else headers.set(name, [raw[i + 1] ?? ''])
  }
  refuseConnectionNames(headers.get('connection') ?? [])
  refuseFraming(headers)
  return headers
}

/** Servers differ in whether "_" is "-": both are refused. */
function refuseIdentity(name: string): void {
  const dashed = name.replaceAll('_', '-')
  if (dashed.startsWith('impersonate-'))
    throw new BrokerError('GRANT_DENIED', 'impersonation (kubectl --as) is not possible through the broker')
  if (dashed.startsWith('x-remote-'))
    throw new BrokerError('GRANT_DENIED', 'headers of an authenticating proxy (X-Remote-…) are not taken from clients')
}

/** A server that honours it drops what it names: the broker's own headers, say. */
function refuseConnectionNames(values: readonly string[]): void {
  for (const option of values
    .join(',')
    .split(',')
    .map((text) => text.trim().toLowerCase()))
    if (option !== '' && !connectionOptions.includes(option))
      throw new BrokerError('PROTOCOL_ERROR', 'the header connection names a header')
}

function refuseFraming(headers: ReadonlyMap<string, readonly string[]>): void {
  const [length] = headers.get('content-length') ?? []
  const [coding] = headers.get('transfer-encoding') ?? []
  if (length !== undefined && coding !== undefined)
    throw new BrokerError('PROTOCOL_ERROR', 'the request has both content-length and transfer-encoding')
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length))
    throw new BrokerError('PROTOCOL_ERROR', 'content-length is not a number')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new BrokerError('PROTOCOL_ERROR', 'transfer-encoding is not chunked')
  const [expected] = headers.get('expect') ?? []
  if (expected !== undefined && expected.toLowerCase() !== '100-continue')
    throw new BrokerError('PROTOCOL_ERROR', 'the header expect is not 100-continue')
}

export function ownHeaders({ host, authorization, forwardedFor }: OwnHeaders): string[] {
  const token = authorization === undefined ? [] : ['authorization', authorization]
  return ['host', host, ...token, 'x-forwarded-for', forwardedFor]
}

function copy(headers: ReadonlyMap<string, readonly string[]>): string[] {
  return [...headers].flatMap(([name, values]) => (passed.has(name) ? values.flatMap((value) => [name, value]) : []))
}

/** A body of unknown length is framed anew. */
function body(headers: ReadonlyMap<string, readonly string[]>): string[] {
  return headers.has('transfer-encoding') ? ['transfer-encoding', 'chunked'] : []
}
