import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { BrokerError } from '../../session.ts'
import { responseHeaders } from '../response.ts'
import { type AskedUpgrade, readSwitch } from '../upgrade.ts'

export interface UpgradeAsk {
  readonly method: string
  /** With its query, as the client sent it. */
  readonly path: string
  /** Names and values by turns. */
  readonly headers: readonly string[]
  readonly asked: AskedUpgrade
}

export type UpgradeAnswer =
  /** @param stream bytes both ways from now on @param ahead what came with the answer */
  | { readonly isSwitched: true; readonly protocol: string; readonly stream: Duplex; readonly ahead: Buffer }
  /** A refusal by the cluster, for the client unless it is 401, which is of the broker's own token. @param headers names and values by turns, without lengths */
  | {
      readonly isSwitched: false
      readonly status: number
      readonly headers: readonly string[]
      readonly body: Buffer
    }

/** Of a refusal: a Status. */
const longestAnswer = 64 * 1024

/**
 * Asks the API server for an upgrade, on a connection that is for nothing else: whatever the answer, nothing is asked on it again.
 * @param stream plain side of TLS; destroyed unless it was switched
 * @throws BrokerError TARGET_REFUSED, TARGET_LOST, or the signal's reason
 */
export async function askUpgrade(stream: Duplex, ask: UpgradeAsk, signal: AbortSignal): Promise<UpgradeAnswer> {
  const dropped = () => void stream.destroy()
  signal.addEventListener('abort', dropped)
  let isSwitched = false
  try {
    signal.throwIfAborted()
    const answer = await send(stream, ask)
    isSwitched = answer.isSwitched
    signal.throwIfAborted()
    return answer
  } catch (thrown) {
    isSwitched = false
    signal.throwIfAborted()
    throw thrown instanceof BrokerError ? thrown : new BrokerError('TARGET_LOST', undefined, { cause: thrown })
  } finally {
    signal.removeEventListener('abort', dropped)
    if (!isSwitched) stream.destroy()
  }
}

async function send(stream: Duplex, { method, path, headers, asked }: UpgradeAsk): Promise<UpgradeAnswer> {
  const length = method === 'GET' ? [] : ['content-length', '0']
  const outgoing = request({
    createConnection: () => stream,
    method,
    path,
    headers: [...headers, ...length],
  })
  const switched = Promise.withResolvers<UpgradeAnswer>()
  outgoing.on('error', switched.reject)
  outgoing.once('upgrade', (answer: IncomingMessage, socket: Duplex, ahead: Buffer) => {
    try {
      const protocol = readSwitch(answer.statusCode ?? 0, answer.rawHeaders, asked)
      switched.resolve({ isSwitched: true, protocol, stream: socket, ahead })
    } catch (error) {
      switched.reject(error)
    }
  })
  outgoing.once('response', (answer) => void readRefusal(answer).then(switched.resolve, switched.reject))
  outgoing.on('information', ({ statusCode }) => {
    if (statusCode === 101) switched.reject(new BrokerError('TARGET_REFUSED', 'the upgrade failed: another upgrade'))
  })
  stream.once('close', () => switched.reject(new Error('the connection was closed')))
  outgoing.end()
  return await switched.promise
}

async function readRefusal(answer: IncomingMessage): Promise<UpgradeAnswer> {
  const { statusCode: status = 0, rawHeaders } = answer
  if (status < 300) throw new BrokerError('TARGET_REFUSED', `the upgrade failed: the answer was ${status}, not 101`)
  const headers = responseHeaders(status, rawHeaders)
  const parts: Buffer[] = []
  let bytes = 0
  answer.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes > longestAnswer) answer.destroy(new BrokerError('TARGET_REFUSED', 'its answer is too long'))
    else parts.push(part)
  })
  await once(answer, 'end')
  const others = headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== 'content-length')
  return { isSwitched: false, status, headers: others, body: Buffer.concat(parts) }
}
