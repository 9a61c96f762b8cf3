/** Upgrades of exec, attach and port-forward: what is asked of the API server, and whether its answer is the one that was asked for. */
import { createHash } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { BrokerError } from '../session.ts'

export type UpgradeProtocol = 'websocket' | 'SPDY/3.1'

/** Protocols of streams, by the upgrade that they go by. */
export type StreamProtocols = Readonly<Record<UpgradeProtocol, readonly string[]>>

/** Those that the broker can read along; no others are offered. */
export const streamProtocols = {
  /** Attach too. */
  exec: {
    websocket: ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'],
    'SPDY/3.1': ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
  },
  forward: {
    websocket: ['SPDY/3.1+portforward.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'],
    'SPDY/3.1': ['portforward.k8s.io'],
  },
} as const satisfies Readonly<Record<string, StreamProtocols>>

type Headers = ReadonlyMap<string, readonly string[]>

export interface AskedUpgrade {
  readonly upgrade: UpgradeProtocol
  /** Protocols of the streams, in the order of the client. */
  readonly offered: string[]
  /** Headers that ask for it, names and values by turns. */
  readonly lines: string[]
}

/** @param headers by name in lower case @param protocols those of the subresource @throws BrokerError UNSUPPORTED, PROTOCOL_ERROR */
export function readUpgrade(headers: Headers, protocols: StreamProtocols): AskedUpgrade {
  const [asked = ''] = headers.get('upgrade') ?? []
  const upgrade = (['websocket', 'SPDY/3.1'] as const).find((name) => name.toLowerCase() === asked.toLowerCase())
  if (!upgrade) throw new BrokerError('UNSUPPORTED', 'only upgrades to websocket and SPDY/3.1 are known')
  if (!listed(headers.get('connection')).some((option) => option.toLowerCase() === 'upgrade'))
    throw new BrokerError('PROTOCOL_ERROR', 'an upgrade without "upgrade" in the header connection')
  const known = protocols[upgrade]
  const isWebsocket = upgrade === 'websocket'
  const name = isWebsocket ? 'sec-websocket-protocol' : 'x-stream-protocol-version'
  const offered = [...new Set(listed(headers.get(name)))].filter((protocol) => known.includes(protocol))
  if (offered.length === 0) throw new BrokerError('UNSUPPORTED', `${name} offers none of ${known.join(', ')}`)
  const common = ['connection', 'Upgrade', 'upgrade', upgrade]
  if (!isWebsocket) return { upgrade, offered, lines: [...common, ...offered.flatMap((protocol) => [name, protocol])] }
  return { upgrade, offered, lines: [...common, ...readKey(headers), name, offered.join(', ')] }
}

/** No extension goes on: one that compresses would blind the recording. */
function readKey(headers: Headers): string[] {
  const [key = ''] = headers.get('sec-websocket-key') ?? []
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) throw new BrokerError('PROTOCOL_ERROR', 'a websocket without a key')
  if (headers.get('sec-websocket-version')?.[0] !== '13')
    throw new BrokerError('UNSUPPORTED', 'only websockets of version 13 are known')
  return ['sec-websocket-key', key, 'sec-websocket-version', '13']
}

function listed(values: readonly string[] = []): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** Of RFC 6455, 1.3. */
const websocketId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * The protocol that the server chose. Anything but 101 with what was asked for leaves a connection that must not be used for anything more
 * (CVE-2018-1002105).
 * @param raw names and values by turns @throws BrokerError TARGET_REFUSED
 */
export function readSwitch(status: number, raw: readonly string[], asked: AskedUpgrade): string {
  const headers = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), raw[i + 1] ?? ''])
  }
  const isWebsocket = asked.upgrade === 'websocket'
  const chosen = headers.get(isWebsocket ? 'sec-websocket-protocol' : 'x-stream-protocol-version') ?? []
  const [protocol = ''] = chosen
  if (status !== 101) throw refused(`the answer was ${status}, not 101`)
  if (headers.get('upgrade')?.join().toLowerCase() !== asked.upgrade.toLowerCase()) throw refused('another upgrade')
  if (chosen.length !== 1 || !asked.offered.includes(protocol)) throw refused('a protocol that was not offered')
  if (isWebsocket && headers.get('sec-websocket-accept')?.join() !== acceptOf(asked)) throw refused('another key')
  if (headers.has('sec-websocket-extensions')) throw refused('an extension that was not offered')
  return protocol
}

/** The 101 for the client, once the server has given its own. @param protocol that the server chose */
export function encodeSwitch(asked: AskedUpgrade, protocol: string): Buffer {
  const isWebsocket = asked.upgrade === 'websocket'
  const lines = ['Connection: Upgrade', `Upgrade: ${asked.upgrade}`]
  if (isWebsocket) lines.push(`Sec-WebSocket-Accept: ${acceptOf(asked)}`, `Sec-WebSocket-Protocol: ${protocol}`)
  else lines.push(`X-Stream-Protocol-Version: ${protocol}`)
  return encodeHead(101, lines)
}

/** Any other answer to an upgrade; the connection is closed behind it. @param headers names and values by turns, without lengths */
export function encodeAnswer(status: number, headers: readonly string[], body: Uint8Array): Buffer {
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []))
  const head = encodeHead(status, [...lines, `Content-Length: ${body.length}`, 'Connection: close'])
  return Buffer.concat([head, body])
}

function encodeHead(status: number, lines: readonly string[]): Buffer {
  return Buffer.from(`HTTP/1.1 ${[`${status} ${STATUS_CODES[status] ?? ''}`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1')
}

function acceptOf({ lines }: AskedUpgrade): string {
  const key = lines[lines.indexOf('sec-websocket-key') + 1] ?? ''
  return createHash('sha1')
    .update(key + websocketId)
    .digest('base64')
}

function refused(what: string): BrokerError {
  return new BrokerError('TARGET_REFUSED', `the upgrade failed: ${what}`)
}
