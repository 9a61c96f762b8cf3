import { BrokerError } from '../session.ts'
import type { RawHeaders } from './headers.ts'

/** Of one connection (RFC 9110, 7.6.1), or for another client than ours. */
const dropped: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
  'set-cookie',
  'location',
  'content-location',
  'refresh',
])

/** Of names that are dropped: most others have another. */
const lengths: ReadonlySet<number> = new Set([...dropped].map((name) => name.length))

/**
 * Headers of an answer that go on to the client, as they came: also how it is compressed, which nothing here undoes.
 * @throws BrokerError TARGET_REFUSED for a redirect, which would take clients and their tokens elsewhere
 */
export function responseHeaders(status: number, raw: RawHeaders): string[] {
  const isKept = choose(status, raw)
  return raw.filter((_, i) => isKept(raw[i - (i % 2)] ?? ''))
}

/** The same as lines, each with its end. @throws as {@link responseHeaders} */
export function responseLines(status: number, raw: RawHeaders): string {
  const isKept = choose(status, raw)
  let lines = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    if (isKept(name)) lines += `${name}: ${raw[i + 1]}\r\n`
  }
  return lines
}

function choose(status: number, raw: RawHeaders): (name: string) => boolean {
  if (status >= 300 && status < 400 && status !== 304)
    throw new BrokerError('TARGET_REFUSED', `the cluster answered with a redirect (${status})`)
  const named = namedByConnection(raw)
  return (name) => {
    if (named.length === 0 && !lengths.has(name.length)) return true
    const lower = name.toLowerCase()
    return !dropped.has(lower) && !named.includes(lower)
  }
}

function namedByConnection(raw: RawHeaders): readonly string[] {
  let named = ''
  for (let i = 0; i < raw.length; i += 2)
    if (raw[i]?.length === 10 && raw[i]?.toLowerCase() === 'connection') named += `,${raw[i + 1]}`
  return named === '' ? [] : named.toLowerCase().split(/[\s,]+/)
}
